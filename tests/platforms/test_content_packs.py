"""What the control side keeps of bundles that hosts are sent by content."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest
from archives import entry, tar, tgz_of
from content_cases import archived

from runner.errors import WorldError
from runner.host.bundles.listing import contents_of, members_of
from runner.host.outcome import Failure
from runner.model.revision import Bundle
from runner.platforms.server.packs import Packs

NOISE = random.Random(9)


def bundle_with(folder: Path, content: dict[str, bytes]) -> Bundle:
    return archived(folder / f"{len(list(folder.glob('*.tgz')))}.tgz", tgz_of(content))


def size_of(folder: Path) -> int:
    """Bytes of all files below *folder*, those with several names once."""
    return sum({path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}.values())


async def test_the_listing_names_every_member_in_order_and_every_content_once(tmp_path: Path) -> None:
    members = [entry("a", b"one"), entry("b", b"two"), entry("c", b"one"), entry("a", b"two")]
    pack = await Packs().pack_of(archived(tmp_path / "a.tar", tar(*members)))
    contents = contents_of(str(pack.listing))
    found = [(member.name, number) for member, number in members_of(str(pack.listing), contents)]
    assert found == [("a", 0), ("b", 1), ("c", 0), ("a", 1)]
    assert (list(contents.sizes), list(contents.uses)) == ([3, 3], [2, 2])


async def test_a_pack_is_beside_its_bundle_and_found_there_by_the_next_process(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, {"a": NOISE.randbytes(1000)})
    first = await Packs().pack_of(bundle)
    made = first.listing.stat().st_ino
    assert first.listing.parent.parent == tmp_path / "packs"
    assert (await Packs().pack_of(bundle)).listing.stat().st_ino == made


async def test_what_another_pack_has_is_not_compressed_or_kept_twice(tmp_path: Path) -> None:
    content = {str(number): NOISE.randbytes(100_000) for number in range(10)}
    large = {"large": NOISE.randbytes(5 << 20)}
    packs = Packs()
    for changed in range(5):
        bundle = bundle_with(tmp_path, content | large | {str(changed): NOISE.randbytes(100_000)})
        pack = await packs.pack_of(bundle)
        sent = b"".join(pack.pieces([(0, 11)]))
        assert len(sent) == pack.length([(0, 11)]) > 6_000_000
    assert size_of(tmp_path / "packs") < 6_000_000 + 7 * 110_000


async def test_a_chain_of_many_changes_stays_short(tmp_path: Path) -> None:
    packs = Packs()
    for number in range(25):
        content = {str(older): b"%d" % older * 100 for older in range(number + 1)}
        pack = await packs.pack_of(bundle_with(tmp_path, content))
    assert len(list(pack.listing.parent.glob("contents-*"))) == 16
    assert pack.length([(0, 25)]) > 0
    assert b"".join(pack.pieces([(24, 25)]))


async def test_packs_go_with_their_bundles_and_what_others_link_to_stays(tmp_path: Path) -> None:
    content = {str(number): NOISE.randbytes(10_000) for number in range(10)}
    first, second = bundle_with(tmp_path, content), bundle_with(tmp_path, content | {"new": b"new"})
    packs = Packs()
    old = (await packs.pack_of(first)).listing.parent
    whole = b"".join((await packs.pack_of(second)).pieces([(0, 11)]))
    Path(first.path).unlink()
    (tmp_path / "packs" / "unfinished-by-a-dead-process").mkdir()
    await packs.pack_of(bundle_with(tmp_path, {"third": b"third"}))
    assert not old.exists()
    assert len(list((tmp_path / "packs").iterdir())) == 2
    assert b"".join((await Packs().pack_of(second)).pieces([(0, 11)])) == whole


async def test_two_processes_that_make_the_same_pack_both_get_it(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, {str(number): NOISE.randbytes(50_000) for number in range(100)})
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom host_cases import bundle_of\n"
        "from runner.platforms.server.packs import Packs\n"
        "pack = asyncio.run(Packs().pack_of(bundle_of(Path(sys.argv[1]), 'tgz')))\n"
        "print(sum(map(len, pack.pieces([(0, 100)]))))"
    )
    path = ":".join(filter(None, sys.path))
    started = [
        subprocess.Popen([sys.executable, "-c", code, bundle.path], stdout=subprocess.PIPE, env={"PYTHONPATH": path})
        for _ in range(4)
    ]
    said = {process.communicate()[0] for process in started}
    assert {process.returncode for process in started} == {0}
    assert len(said) == 1
    assert int(said.pop()) > 5_000_000
    assert len(list((tmp_path / "packs").iterdir())) == 1


async def test_one_who_stops_waiting_does_not_stop_it_for_the_others(tmp_path: Path) -> None:
    packs, bundle = Packs(), bundle_with(tmp_path, {str(number): NOISE.randbytes(50_000) for number in range(100)})
    first, second = (asyncio.create_task(packs.pack_of(bundle)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).length([(0, 100)]) > 5_000_000


async def test_a_failure_is_not_remembered(tmp_path: Path) -> None:
    packs, bundle = Packs(), bundle_with(tmp_path, {"a": b"a"})
    whole = Path(bundle.path).read_bytes()
    Path(bundle.path).write_bytes(whole[:-20])
    with pytest.raises(Failure, match="Expected deployment artifact bundle sha256"):
        await packs.pack_of(bundle)
    Path(bundle.path).write_bytes(whole)
    assert (await packs.pack_of(bundle)).length([(0, 1)]) > 0


async def test_a_folder_that_cannot_be_used_is_the_worlds_failure(tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("")
    with pytest.raises(WorldError, match=r"cannot be packed in .*/packs"):
        await Packs().pack_of(bundle_with(tmp_path, {"a": b"a"}))


async def test_a_host_that_asks_for_what_is_not_there_is_refused(tmp_path: Path) -> None:
    pack = await Packs().pack_of(bundle_with(tmp_path, {"a": b"a"}))
    for ranges in ([(0, 2)], [(-1, 1)], [(1, 0)]):
        with pytest.raises(IndexError):
            pack.length(ranges)
