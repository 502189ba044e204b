"""What travels of a bundle that is sent by content, and what happens when the way, the host or its disk fails."""

import asyncio
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from archives import entry, tar, tgz_of
from content_cases import Receiver, archived
from host_cases import appspec, commands, job
from waiting import until

from runner.model.appspec import Script
from runner.model.command import Command
from runner.model.revision import Bundle
from runner.platforms.server.connection import Connection
from runner.platforms.server.packs import Packs
from runner.platforms.server.requests import request_for

NOISE = random.Random(3)


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Path]:
    """A folder for a lot of data: in memory where that is large enough, as disks may be slow. Emptied afterwards."""
    memory = Path("/dev/shm")
    room = os.statvfs(memory) if memory.is_dir() else None
    is_enough = room and room.f_bavail * room.f_frsize > 4 << 30 and os.access(memory, os.W_OK)
    folder = Path(tempfile.mkdtemp(dir=memory if is_enough else tmp_path, prefix="penstock-"))
    yield folder
    shutil.rmtree(folder)


def files(count: int, size: int) -> dict[str, bytes]:
    return {f"data/{number}": NOISE.randbytes(size) for number in range(count)}


def bundle_with(folder: Path, content: dict[str, bytes]) -> Bundle:
    return archived(folder / f"{len(list(folder.glob('*.tgz')))}.tgz", tgz_of(content))


async def test_a_second_bundle_with_one_changed_file_sends_under_a_hundredth_of_the_bytes(
    receiver: Receiver, tmp_path: Path
) -> None:
    first = files(300, 40_000)
    assert (await receiver.download(bundle_with(tmp_path, first), "d-1")).succeeded
    all_of_it = receiver.transport.sent
    assert all_of_it > 300 * 40_000
    second = {**first, "data/7": NOISE.randbytes(40_000)}
    assert (await receiver.download(bundle_with(tmp_path, second), "d-2")).succeeded
    assert receiver.transport.sent - all_of_it < all_of_it / 100
    assert {path.name: path.read_bytes() for path in (receiver.archive("d-2") / "data").iterdir()} == {
        name.removeprefix("data/"): content for name, content in second.items()
    }


async def test_contents_are_found_in_revisions_of_other_groups_and_under_other_names(
    receiver: Receiver, tmp_path: Path
) -> None:
    content = NOISE.randbytes(200_000)
    await receiver.download(bundle_with(tmp_path, {"a": content}), "d-1", "group-1")
    sent = receiver.transport.sent
    await receiver.download(bundle_with(tmp_path, {"b/c": content}), "d-2", "group-2")
    assert receiver.transport.sent - sent < 4000
    assert (receiver.archive("d-2", "group-2") / "b/c").read_bytes() == content


async def test_one_content_in_many_files_travels_once_and_makes_many_files(receiver: Receiver, tmp_path: Path) -> None:
    content = NOISE.randbytes(200_000)
    await receiver.download(bundle_with(tmp_path, {str(number): content for number in range(10)}))
    assert receiver.transport.sent < 220_000
    found = list(receiver.archive().iterdir())
    assert len({path.stat().st_ino for path in found}) == 10
    assert all(path.stat().st_nlink == 1 and path.read_bytes() == content for path in found)


async def test_a_script_that_writes_into_a_file_changes_no_other_file_and_no_other_revision(
    receiver: Receiver, tmp_path: Path
) -> None:
    spec = appspec({}, {"BeforeInstall": [Script(location="write.sh")]})
    content = {
        "appspec.yml": b"x",
        "write.sh": b'#!/bin/sh\nprintf changed > "$(dirname "$0")/0/data"\n',
        "0/data": b"the data",
        "1/data": b"the data",
    }
    bundle = bundle_with(tmp_path, content)
    for deployment in ("d-1", "d-2"):
        await receiver.run("DownloadBundle", job(bundle, spec, deployment))
        assert (receiver.archive(deployment) / "0/data").read_bytes() == b"the data"
        assert (await receiver.run("BeforeInstall", job(bundle, spec, deployment))).succeeded
        assert (receiver.archive(deployment) / "0/data").read_bytes() == b"changed"
        assert (receiver.archive(deployment) / "1/data").read_bytes() == b"the data"


async def test_a_file_that_only_seems_unchanged_is_not_trusted(receiver: Receiver, tmp_path: Path) -> None:
    content = NOISE.randbytes(100_000)
    bundle = bundle_with(tmp_path, {"a": content, "b": b"b"})
    await receiver.download(bundle, "d-1")
    old = receiver.archive("d-1") / "a"
    status = old.stat()
    with old.open("r+b") as file:
        file.write(b"damaged")
    os.utime(old, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert old.stat().st_ino == status.st_ino
    sent = receiver.transport.sent
    assert (await receiver.download(bundle, "d-2")).succeeded
    assert receiver.transport.sent - sent > 100_000
    assert (receiver.archive("d-2") / "a").read_bytes() == content


async def test_a_damaged_list_of_contents_only_means_that_more_travels(receiver: Receiver, tmp_path: Path) -> None:
    content = NOISE.randbytes(100_000)
    bundle = bundle_with(tmp_path, {"a": content})
    await receiver.download(bundle, "d-1")
    noted = receiver.archive("d-1").parent / "contents"
    noted.write_bytes(noted.read_bytes()[:-9])
    (receiver.archive("d-1").parent / "revision.json").write_text("{")
    assert (await receiver.download(bundle, "d-2")).succeeded
    assert (receiver.archive("d-2") / "a").read_bytes() == content


async def test_after_a_broken_connection_only_the_rest_travels(receiver: Receiver, tmp_path: Path) -> None:
    content = files(50, 40_000)
    bundle = bundle_with(tmp_path, content)
    receiver.transport.break_after = 1_500_000
    assert (await receiver.download(bundle)).succeeded
    assert receiver.transport.connections == 2
    assert receiver.transport.sent < 50 * 40_000 + 150_000
    assert {f"data/{path.name}": path.read_bytes() for path in (receiver.archive() / "data").iterdir()} == content
    assert not (receiver.archive().parent / "incoming").exists()


async def test_what_had_arrived_is_hashed_before_it_counts(receiver: Receiver, tmp_path: Path) -> None:
    content = files(50, 40_000)
    receiver.transport.break_after = 1_500_000
    incoming = receiver.archive().parent / "incoming"

    async def damage() -> None:
        await until(lambda: receiver.transport.break_after is None)
        for path in incoming.iterdir():
            if path.name != "listing":
                path.write_bytes(b"damaged" + path.read_bytes()[7:])

    damaging = asyncio.create_task(damage())
    assert (await receiver.download(bundle_with(tmp_path, content))).succeeded
    await damaging
    assert {f"data/{path.name}": path.read_bytes() for path in (receiver.archive() / "data").iterdir()} == content


def the_command(receiver: Receiver, bundle: Bundle) -> Command:
    return commands(job(bundle, appspec(), "d-1"), receiver.host)[1]


async def half_dead(receiver: Receiver, bundle: Bundle, patience: float) -> Connection:
    """A control side that asks for DownloadBundle, and is never heard of again, although its connection stays open."""
    connection = await receiver.transport.connect(receiver.host)
    request = request_for(the_command(receiver, bundle), {"patience": patience}, by_content=True)
    await connection.send(msgspec.json.encode({"id": 1, "run": request}) + b"\n")
    assert b'"need"' in await connection.receive_line()
    return connection


async def test_a_connection_that_is_half_dead_holds_the_group_up_only_for_a_while(
    receiver: Receiver, tmp_path: Path
) -> None:
    bundle = bundle_with(tmp_path, {"a": b"a"})
    connection = await half_dead(receiver, bundle, patience=0.3)
    assert (await receiver.download(bundle)).succeeded
    journal = (receiver.archive().parent / "journal").read_text()
    assert journal.count('"ended"') == 1
    await connection.close()


async def test_a_control_side_that_dies_while_it_is_needed_leaves_no_outcome(
    receiver: Receiver, tmp_path: Path
) -> None:
    bundle = bundle_with(tmp_path, {"a": b"a"})
    connection = await half_dead(receiver, bundle, patience=60)
    await connection.close()
    journal = receiver.archive().parent / "journal"
    assert '"ended"' not in journal.read_text()
    assert (await receiver.download(bundle)).succeeded


async def test_a_hundred_hosts_that_ask_at_once_have_the_pack_made_once(receiver: Receiver, tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, files(20, 10_000))
    packs = Packs(receiver.packs)
    found = await asyncio.gather(*(packs.pack_of(bundle) for _ in range(100)))
    assert len({id(pack) for pack in found}) == 1


@pytest.mark.parametrize("by_content", [True, False])
async def test_revisions_are_kept_by_size_both_ways(tmp_path: Path, by_content: bool) -> None:
    receiver = Receiver(tmp_path, by_content=by_content, max_size=1_000_000)
    for number in range(1, 6):
        assert (await receiver.download(bundle_with(tmp_path, files(3, 100_000)), f"d-{number}")).succeeded
    await receiver.close()
    assert {path.name for path in (receiver.state / "group-1").iterdir()} == {"d-3", "d-4", "d-5"}


@pytest.mark.parametrize("by_content", [True, False])
async def test_revisions_are_kept_by_count_both_ways(tmp_path: Path, by_content: bool) -> None:
    receiver = Receiver(tmp_path, by_content=by_content, max_revisions=2)
    for number in range(1, 6):
        assert (await receiver.download(bundle_with(tmp_path, files(3, 1000)), f"d-{number}")).succeeded
    await receiver.close()
    assert {path.name for path in (receiver.state / "group-1").iterdir()} == {"d-4", "d-5"}


async def test_the_archive_is_kept_as_a_link_and_never_as_a_copy(tmp_path: Path) -> None:
    receiver, bundle = Receiver(tmp_path, by_content=False), bundle_with(tmp_path, {"a": b"a"})
    assert (await receiver.download(bundle, "d-1")).succeeded
    assert (receiver.archive("d-1").parent / "bundle.tar").samefile(bundle.path)
    folders = [path for path in map(Path, ("/dev/shm", "/run", "/tmp")) if os.access(path, os.W_OK)]
    elsewhere = next((path for path in folders if path.stat().st_dev != tmp_path.stat().st_dev), None)
    assert elsewhere, f"this test needs a second file system; {folders} are on the one of {tmp_path}"
    with tempfile.TemporaryDirectory(dir=elsewhere) as folder:
        far = bundle_with(Path(folder), {"a": b"a"})
        assert (await receiver.download(far, "d-2")).succeeded
    assert (receiver.archive("d-2") / "a").read_bytes() == b"a"
    assert not (receiver.archive("d-2").parent / "bundle.tar").exists()
    await receiver.close()


FULL_DISK = """
import asyncio, json, os, sys
from pathlib import Path
from content_cases import Receiver
from host_cases import bundle_of

async def main(disk, bundle, by_content):
    receiver = Receiver(Path(disk), by_content=by_content == "True", packs=Path(bundle).parent / "packs")
    outcome = await receiver.download(bundle_of(Path(bundle), "tgz"))
    await receiver.close()
    room = os.statvfs(disk)
    left = sorted(path.name for path in receiver.archive().parent.iterdir())
    journal = (receiver.archive().parent / "journal").read_text()
    print(json.dumps([outcome.diagnostics.message, left, room.f_bfree * room.f_frsize, journal.count('"ended"')]))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("by_content", [True, False])
async def test_a_full_disk_is_said_with_what_is_needed_and_leaves_no_pieces(tmp_path: Path, by_content: bool) -> None:
    """On a disk of 6 MiB of our own, in a mount namespace of our own."""
    bundle, disk = bundle_with(tmp_path, files(100, 100_000)), tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=6m tmpfs "$1" && shift && exec "$@"'
    namespace = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    child = [sys.executable, "-c", FULL_DISK, str(disk), bundle.path, str(by_content)]
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(disk), *child],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    message, left, room, ends = json.loads(done.stdout)
    assert f"No space left on device: {disk}/" in message
    assert "The bundle needs 9.8 MiB when it is unpacked; " in message
    assert set(left) <= {"bundle.tar", "contents", "journal", "logs"}
    assert room > 5 << 20
    assert ends == 1


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    names = [f"{number % 100}/a file with a rather long name {number}" for number in range(100_000)]
    content = tar(*(entry(name, name.encode()) for name in names))
    bundle = archived(tmp_path_factory.mktemp("many") / "many.tar", content)
    yield bundle
    Path(bundle.path).unlink()  # pytest keeps its folders for a while


@pytest.mark.large
@pytest.mark.parametrize("by_content", [True, False])
async def test_a_hundred_thousand_files_arrive_in_little_memory(roomy: Path, many: Bundle, by_content: bool) -> None:
    receiver = Receiver(roomy, by_content=by_content)
    try:
        assert (await receiver.download(many)).succeeded
        assert sum(len(list(os.scandir(folder))) for folder in receiver.archive().iterdir()) == 100_000
        assert receiver.transport.peak_memory() < 64 << 20
    finally:
        await receiver.close()


@pytest.mark.large
@pytest.mark.parametrize("by_content", [True, False])
async def test_a_bundle_of_a_gigabyte_arrives_in_little_memory(roomy: Path, by_content: bool) -> None:
    zeros = gzip.compress(bytes(16 << 20), compresslevel=1)
    info = tarfile.TarInfo("zeros")
    info.size = size = 1 << 30
    header = info.tobuf(tarfile.GNU_FORMAT)
    bundle = archived(roomy / "big.tgz", gzip.compress(header) + zeros * 64 + gzip.compress(bytes(1024)))
    receiver = Receiver(roomy, by_content=by_content)
    try:
        assert (await receiver.download(bundle)).succeeded
        assert (receiver.archive() / "zeros").stat().st_size == size
        assert receiver.transport.peak_memory() < 64 << 20
    finally:
        await receiver.close()
