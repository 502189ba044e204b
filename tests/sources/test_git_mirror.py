"""The mirror is a cache: killed, damaged, crowded, it is mended, and nothing that is needed is lost."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gitserver import HttpServer, Origin, Shop, git, http_server
from waiting import until

from runner.config import RepositoryConfig
from runner.errors import WorldError
from runner.sources.git import GitRepository, mirror

FETCH = """
import sys
from pathlib import Path
from runner.config import RepositoryConfig
from runner.sources.git import GitRepository
url, folder, commit_id = sys.argv[1:]
GitRepository(RepositoryConfig(name="shop", url=url), Path(folder)).fetch(commit_id)
"""


def repository(url: str | Path, folder: Path) -> GitRepository:
    return GitRepository(RepositoryConfig(name="shop", url=str(url)), folder)


def fetching(url: str, folder: Path, commit_id: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", FETCH, url, str(folder), commit_id])


async def test_a_process_killed_in_the_middle_of_the_first_fetch_poisons_nothing(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "mirrors" / "shop.git"
    with http_server(shop.folder) as server:
        server.stop_after = 50_000
        process = fetching(f"{server.url}/shop.git", folder, shop.second)
        assert server.silent.wait(timeout=60)
        await until(lambda: any((folder / "objects" / "pack").iterdir()))  # half a pack
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        server.stop_after = None
        server.go_on.set()
        (folder / "refs" / "penstock" / "kept").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "penstock" / "kept" / f"{shop.second}.lock").touch()  # what a kill a moment later leaves
        again = repository(f"{server.url}/shop.git", folder)
        again.fetch(shop.second)
    assert again.read(shop.second, "a") == b"2"
    assert {path.suffix for path in (folder / "objects" / "pack").iterdir()} <= {".pack", ".idx"}
    assert not list(folder.rglob("*.lock"))


def test_a_mirror_that_is_only_half_there_is_made_anew(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "shop.git"
    folder.mkdir()
    (folder / "objects").mkdir()
    (folder / "HEAD").write_text("")
    made = repository(shop.origin.path, folder)
    assert made.heads() == shop.heads
    made.fetch(shop.second)
    assert made.read(shop.second, "a") == b"2"


def test_a_file_in_place_of_the_mirror_is_replaced(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "shop.git").write_text("what is this?")
    assert repository(shop.origin.path, tmp_path / "shop.git").heads() == shop.heads


def break_everything(folder: Path) -> None:
    for path in (*folder.rglob("*.pack"), *folder.rglob("*.idx")):
        path.chmod(0o600)
        path.write_bytes(b"\0" * path.stat().st_size)


def cut_off(folder: Path) -> None:
    for path in folder.rglob("*.pack"):
        path.chmod(0o600)
        os.truncate(path, path.stat().st_size // 2)


def lose_packs(folder: Path) -> None:
    for path in (*folder.rglob("*.pack"), *folder.rglob("*.idx")):
        path.unlink()


def garble_refs(folder: Path) -> None:
    for path in (folder / "refs" / "penstock" / "kept").iterdir():
        path.write_text("garbage\n")


@pytest.mark.parametrize("damage", [break_everything, cut_off, lose_packs, garble_refs])
def test_a_damaged_mirror_is_thrown_away_and_made_anew(tmp_path: Path, damage: "object") -> None:
    origin = Origin(tmp_path)
    first = origin.commit({"a": "1", "filler": os.urandom(5000)})
    repository(origin.path, tmp_path / "shop.mirror").fetch(first)
    assert callable(damage)
    damage(tmp_path / "shop.mirror")
    second = origin.commit({"a": "2"})
    fresh = repository(origin.path, tmp_path / "shop.mirror")
    fresh.fetch(second)
    assert fresh.read(second, "a") == b"2"
    fresh.fetch(first)
    assert fresh.read(first, "a") == b"1"


@pytest.mark.parametrize("part", ["tree", "blob"])
def test_a_commit_whose_content_is_missing_is_mended_while_it_is_read(tmp_path: Path, part: str) -> None:
    origin = Origin(tmp_path)
    commit_id = origin.commit({"folder/a": "1"})
    reader = repository(origin.path, tmp_path / "shop.mirror")
    reader.fetch(commit_id)
    lost = git("rev-parse", f"{commit_id}:folder{'/a' if part == 'blob' else ''}", cwd=tmp_path / "shop.mirror")
    unpack(tmp_path / "shop.mirror")
    (tmp_path / "shop.mirror" / "objects" / lost[:2] / lost[2:]).unlink()
    assert repository(origin.path, tmp_path / "shop.mirror").read(commit_id, "folder/a") == b"1"


def unpack(folder: Path) -> None:
    """Every object into a file of its own."""
    for pack in list(folder.rglob("*.pack")):
        aside = folder / "aside.pack"
        pack.rename(aside)
        pack.with_suffix(".idx").unlink()
        with aside.open("rb") as content:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=folder, stdin=content, check=True)
        aside.unlink()


def test_damage_at_the_other_end_does_not_cost_us_our_mirror(tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    first = origin.commit({"a": "1"})
    kept = repository(origin.path, tmp_path / "shop.mirror")
    kept.fetch(first)
    second = origin.commit({"a": "2"})
    for path in (origin.path / "objects").glob("??/*"):
        path.unlink()
    inode = (tmp_path / "shop.mirror").stat().st_ino
    with pytest.raises(WorldError):
        kept.fetch(second)
    assert (tmp_path / "shop.mirror").stat().st_ino == inode
    assert kept.read(first, "a") == b"1"


def test_two_processes_fetch_into_one_mirror(shop: Shop, http: HttpServer, tmp_path: Path) -> None:
    folder = tmp_path / "shop.git"
    http.requests.clear()
    processes = [fetching(f"{http.url}/shop.git", folder, shop.second) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert repository(shop.origin.path, folder).read(shop.second, "a") == b"2"
    assert len([request for request in http.requests if request.startswith("POST")]) == 1


def test_branches_may_come_to_stand_where_others_stood(tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    kept = repository(origin.path, tmp_path / "shop.mirror")
    first = origin.commit({"a": "1"}, branch="work")
    kept.fetch(first)
    git("push", "--quiet", "origin", ":refs/heads/work", cwd=origin.clone)
    second = origin.commit({"a": "2"}, branch="topic/more")
    kept.fetch(second)
    assert kept.heads() == {"refs/heads/topic/more": second}
    assert kept.read(first, "a") == b"1"


def test_many_fetches_leave_few_packs_and_few_refs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_MOST_PACKS", 3)
    origin = Origin(tmp_path)
    kept, other = (repository(origin.path, tmp_path / "shop.mirror") for _ in range(2))
    commits = []
    for number in range(6):
        commits.append(origin.commit({"a": str(number)}))
        kept.fetch(commits[-1])
        assert other.read(commits[0], "a") == b"0"  # a reader with packs of its own still open
    assert [kept.read(commit_id, "a") for commit_id in commits] == [str(number).encode() for number in range(6)]
    assert len(list((tmp_path / "shop.mirror").rglob("*.pack"))) <= 4
    assert len(list((tmp_path / "shop.mirror" / "refs" / "penstock" / "kept").iterdir())) == 1
    assert "missing" not in git("fsck", "--full", cwd=tmp_path / "shop.mirror")


def test_a_folder_that_cannot_be_written_is_named(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text("a file where a folder should be")
    with pytest.raises(WorldError, match="mirrors"):
        repository(shop.origin.path, tmp_path / "mirrors" / "shop.git").fetch(shop.second)


def test_no_credential_is_written_into_the_mirror(shop: Shop, private_http: HttpServer, tmp_path: Path) -> None:
    url = f"{private_http.url}/shop.git".replace("//", "//ada:s3cret-Word@")
    repository(url, tmp_path / "shop.git").fetch(shop.second)
    written = io.BytesIO()
    for path in (tmp_path / "shop.git").rglob("*"):
        if path.is_file():
            written.write(path.read_bytes())
    assert b"s3cret-Word" not in written.getvalue()
