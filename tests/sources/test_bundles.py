"""The cache of bundles: fetched once, whole or not at all, pruned with care."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from archives import APPSPEC, ARCHIVERS, entry, folder, hard_link, link, tar, tar_of

from runner.errors import InvalidRevision, WorldError
from runner.model.revision import Bundle, BundleType
from runner.sources.bundles import Bundles, Incoming, Writer
from runner.sources.locks import exclusive


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles(tmp_path / "bundles")


def writing(content: bytes) -> Writer:
    def write(incoming: Incoming) -> None:
        for start in range(0, len(content), 1000):
            incoming.write(content[start : start + 1000])

    return write


def never(incoming: Incoming) -> None:
    raise AssertionError("it is in the cache already")


def get(bundles: Bundles, key: str, files: dict[str, bytes], bundle_type: BundleType = "tar") -> Bundle:
    return bundles.get(key, bundle_type, writing(ARCHIVERS[bundle_type](files)), label=key)


def everything(folder: Path) -> set[str]:
    """What lies in the cache, but for locks."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name for path in files if "lock" not in str(path.relative_to(folder))}


def test_a_bundle_is_named_by_its_content_and_written_once(bundles: Bundles, tmp_path: Path) -> None:
    bundle = get(bundles, "one", APPSPEC)
    assert bundles.get("one", "tar", never, label="one") == bundle
    assert bundles.find("one") == bundle
    assert Path(bundle.path) == tmp_path / "bundles" / f"{bundle.sha256}.tar"
    assert Path(bundle.path).read_bytes() == tar_of(APPSPEC)
    assert bundle.size == len(tar_of(APPSPEC))


def test_the_same_content_under_two_keys_is_kept_once(bundles: Bundles, tmp_path: Path) -> None:
    assert get(bundles, "one", APPSPEC) == get(bundles, "two", APPSPEC)
    assert len(list((tmp_path / "bundles").glob("*.tar"))) == 1


def test_the_cache_may_be_moved(bundles: Bundles, tmp_path: Path) -> None:
    get(bundles, "one", APPSPEC)
    (tmp_path / "bundles").rename(tmp_path / "moved")
    found = Bundles(tmp_path / "moved").find("one")
    assert found
    assert Path(found.path).is_file()


def test_a_bundle_that_lost_its_archive_or_a_part_of_it_is_fetched_again(bundles: Bundles) -> None:
    bundle = get(bundles, "one", APPSPEC)
    os.truncate(bundle.path, 10)
    assert bundles.find("one") is None
    assert get(bundles, "one", APPSPEC) == bundle
    Path(bundle.path).unlink()
    assert get(bundles, "one", APPSPEC) == bundle


def test_a_refused_archive_leaves_nothing_and_is_named(bundles: Bundles, tmp_path: Path) -> None:
    with pytest.raises(InvalidRevision, match=r"^shop@sha1:0 cannot be deployed: '\.\./x'"):
        bundles.get("one", "tar", writing(tar(entry("../x"))), label="shop@sha1:0")
    assert everything(tmp_path / "bundles") == set()
    assert bundles.find("one") is None


def test_a_failed_download_leaves_nothing_and_may_be_tried_again(bundles: Bundles, tmp_path: Path) -> None:
    def fail(incoming: Incoming) -> None:
        incoming.write(b"half of it")
        raise WorldError("the line went dead")

    with pytest.raises(WorldError, match="line went dead"):
        bundles.get("one", "tar", fail, label="one")
    assert everything(tmp_path / "bundles") == set()
    assert get(bundles, "one", APPSPEC)


def test_threads_that_want_one_bundle_write_it_once_and_share_what_comes_of_it(bundles: Bundles) -> None:
    """The first writer waits until all the others are known to wait for it."""
    started, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def slow(incoming: Incoming) -> None:
        written.append(1)
        started.set()
        assert go_on.wait(timeout=30)
        incoming.write(tar_of(APPSPEC))

    got: list[Bundle] = []
    threads = [
        threading.Thread(target=lambda: got.append(bundles.get("one", "tar", slow, label="one"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert started.wait(timeout=30)
    go_on.set()
    for thread in threads:
        thread.join(timeout=30)
    assert len(got) == 8
    assert len(set(map(str, got))) == 1
    assert written == [1]


def test_a_failure_is_shared_by_all_who_waited(bundles: Bundles) -> None:
    started, go_on = threading.Event(), threading.Event()
    failed: list[str] = []

    def fail(incoming: Incoming) -> None:
        started.set()
        assert go_on.wait(timeout=30)
        raise WorldError("down")

    def ask() -> None:
        try:
            bundles.get("one", "tar", fail, label="one")
        except WorldError as error:
            failed.append(error.message)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(timeout=30)
    go_on.set()
    for thread in threads:
        thread.join(timeout=30)
    assert failed == ["down"] * 4


PROCESS = """
import sys
from pathlib import Path
from runner.sources.bundles import Bundles
folder, archive, written = map(Path, sys.argv[1:])
def write(incoming):
    with written.open("a") as log:
        log.write("written\\n")
    incoming.write(archive.read_bytes())
    print("writing", flush=True)
    sys.stdin.readline()
print(Bundles(folder).get("one", "tar", write, label="one").sha256, flush=True)
"""


def start(tmp_path: Path) -> "subprocess.Popen[str]":
    (tmp_path / "archive").write_bytes(tar_of(APPSPEC))
    command = [sys.executable, "-c", PROCESS, tmp_path / "bundles", tmp_path / "archive", tmp_path / "written"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_that_want_one_bundle_write_it_once(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(2)]
    for process in processes:  # whichever of them writes must not wait for the other to be asked
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split()[-1] for process in processes]
    assert answers[0] == answers[1]
    assert (tmp_path / "written").read_text() == "written\n"


def test_what_a_killed_process_left_is_swept_away_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "writing\n"
    incoming = tmp_path / "bundles" / "incoming"
    other = Bundles(tmp_path / "bundles")
    get(other, "two", {"appspec.yml": b"2"})
    assert len(list(incoming.iterdir())) == 1
    process.kill()
    process.communicate(timeout=60)
    get(Bundles(tmp_path / "bundles"), "three", {"appspec.yml": b"3"})
    assert list(incoming.iterdir()) == []
    assert get(other, "one", APPSPEC)


def test_pruning_keeps_what_is_in_use_and_what_was_used_last(bundles: Bundles, tmp_path: Path) -> None:
    made = [get(bundles, str(number), {"appspec.yml": str(number).encode()}) for number in range(5)]
    for age, bundle in enumerate(made):
        os.utime(f"{bundle.path}.json", ns=(age, age))
    assert bundles.find("1")  # used just now
    assert bundles.prune(2, {made[0].sha256}) == 2
    assert [bundles.find(str(number)) is not None for number in range(5)] == [True, True, False, False, True]
    assert len(everything(tmp_path / "bundles")) == 9  # three archives, their contents, their names in the index
    assert bundles.prune(2, {made[0].sha256}) == 0


def test_pruning_an_empty_cache_is_nothing(bundles: Bundles) -> None:
    assert bundles.prune(20, ()) == 0


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_files_are_read_out_of_a_bundle(bundles: Bundles, bundle_type: BundleType) -> None:
    bundle = get(bundles, "one", APPSPEC, bundle_type)
    assert bundles.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]
    assert bundles.read(bundle, "web/index.html") == b"hello"
    assert bundles.read(bundle, "./web//index.html") == b"hello"
    assert bundles.read(bundle, "web") is None
    assert bundles.read(bundle, "nothing") is None


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_a_single_top_folder_is_looked_through(bundles: Bundles, bundle_type: BundleType) -> None:
    bundle = get(bundles, "one", {f"shop-1.2/{name}": content for name, content in APPSPEC.items()}, bundle_type)
    assert bundles.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]
    assert bundles.read(bundle, "shop-1.2/appspec.yml") is None


def test_links_inside_a_bundle_are_followed(bundles: Bundles) -> None:
    content = tar(
        folder("deploy"),
        entry("deploy/appspec.yml", b"here"),
        link("appspec.yml", "./deploy/appspec.yml"),
        hard_link("appspec.yaml", "deploy/appspec.yml"),
        link("round", "about"),
        link("about", "round"),
    )
    bundle = bundles.get("one", "tar", writing(content), label="one")
    assert bundles.read(bundle, "appspec.yml") == b"here"
    assert bundles.read(bundle, "appspec.yaml") == b"here"
    with pytest.raises(InvalidRevision, match="round"):
        bundles.read(bundle, "round")


def test_reading_a_bundle_that_was_pruned_says_so(bundles: Bundles) -> None:
    bundle = get(bundles, "one", APPSPEC)
    bundles.prune(0, ())
    with pytest.raises(WorldError, match="no longer in the cache"):
        bundles.read(bundle, "appspec.yml")


def test_a_name_outside_the_bundle_is_refused(bundles: Bundles) -> None:
    with pytest.raises(InvalidRevision):
        bundles.read(get(bundles, "one", APPSPEC), "../x")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "bundles").write_text("a file where a folder should be")
    with pytest.raises(WorldError, match="bundles"):
        get(Bundles(tmp_path / "bundles"), "one", APPSPEC)


def test_too_little_room_is_noticed_before_anything_comes(bundles: Bundles, tmp_path: Path) -> None:
    def huge(incoming: Incoming) -> None:
        incoming.expect(2**60)
        raise AssertionError("too late")

    with pytest.raises(WorldError, match=f"{2**60} bytes are needed") as caught:
        bundles.get("one", "tar", huge, label="one")
    assert str(tmp_path / "bundles") in caught.value.message
    assert everything(tmp_path / "bundles") == set()


FULL_DISK = """
import json, sys
from pathlib import Path
from runner.config import RepositoryConfig
from runner.errors import WorldError
from runner.sources.bundles import Bundles
from runner.sources.git import GitRepository
disk, origin, commit_id = Path(sys.argv[1]), *sys.argv[2:]
said = []
def attempt(work):
    try:
        work()
    except WorldError as error:
        said.append(error.message)
bundles = Bundles(disk / "bundles")
attempt(lambda: bundles.get("one", "tar", lambda incoming: incoming.write(bytes(2 * 1024 * 1024)), label="one"))
left = [str(path) for path in (disk / "bundles").rglob("*") if path.is_file() and path.stat().st_size]
repository = GitRepository(RepositoryConfig(name="shop", url=origin), disk / "mirrors" / "shop.git")
attempt(lambda: repository.fetch(commit_id))
attempt(lambda: repository.fetch(commit_id))
print(json.dumps({"said": said, "left": left, "heads": repository.heads()}))
"""


def test_a_full_disk_is_said_to_be_full_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    """On a disk of 1 MiB of our own, in a mount namespace of our own."""
    from gitserver import Origin

    origin = Origin(tmp_path / "origin")
    commit_id = origin.commit({"big": os.urandom(2 * 1024 * 1024)})
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@"'
    namespace = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    child = [sys.executable, "-c", FULL_DISK, str(tmp_path / "disk"), str(origin.path), commit_id]
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(tmp_path / "disk"), *child],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(done.stdout)
    assert len(answer["said"]) == 3
    assert all("no space left" in message and "/disk/" in message for message in answer["said"][:1])
    assert all("no space left" in message for message in answer["said"][1:])
    assert answer["left"] == []
    assert answer["heads"] == {"refs/heads/main": commit_id}


def test_a_lock_is_let_go_when_its_holder_dies(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from runner.sources.locks import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        taken = threading.Event()

        def take() -> None:
            with exclusive(tmp_path / "lock"):
                taken.set()

        thread = threading.Thread(target=take)
        thread.start()
        assert not taken.wait(timeout=0.1)
        process.kill()
        assert taken.wait(timeout=30)
        thread.join()


def test_incoming_counts_and_hashes(tmp_path: Path) -> None:
    out = io.BytesIO()
    incoming = Incoming(out, tmp_path)
    assert incoming.write(b"abc") == 3
    assert incoming.size == 3
    assert incoming.sha256.hexdigest().startswith("ba7816bf")
