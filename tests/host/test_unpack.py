"""Archives, sound and hostile, unpacked for real."""

import io
import os
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from runner.host.bundles.unpack import unpack
from runner.host.outcome import Failure


def tar_of(path: Path, *members: tuple[str, dict[str, object], bytes], mode: str = "w:gz") -> str:
    """Members: name, attributes of its TarInfo, content."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, attributes, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "top" / "folder"
    made.mkdir(parents=True)
    return made


LINK = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", {}, b"x")],
        [("a/../../evil", {}, b"x")],
        [("out", {**LINK, "linkname": ".."}, b""), ("out/evil", {}, b"x")],
        [("out", {**LINK, "linkname": "../../"}, b""), ("out/sub/evil", {}, b"x")],
        [("evil", {"type": tarfile.LNKTYPE, "linkname": "../secret"}, b"")],
        [("out", {**LINK, "linkname": ".."}, b""), ("evil", {"type": tarfile.LNKTYPE, "linkname": "out/secret"}, b"")],
        [
            ("in/x", {}, b"x"),
            ("out", {**LINK, "linkname": "in"}, b""),
            ("out/y", {}, b"x"),
            ("out", {**LINK, "linkname": ".."}, b""),
            ("out/evil", {}, b"x"),
        ],
        [("evil", {"type": tarfile.FIFOTYPE}, b"")],
        [("evil", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b"")],
        [(".", {}, b"x")],
    ],
)
def test_members_that_leave_the_folder_or_are_no_files_are_refused(
    folder: Path, tmp_path: Path, members: list[tuple[str, dict[str, object], bytes]]
) -> None:
    (folder.parent / "secret").write_text("secret")
    archive = tar_of(tmp_path / "a.tgz", *members)
    with pytest.raises(Failure):
        unpack(archive, "tgz", str(folder))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["folder", "secret"]
    assert not list(tmp_path.rglob("evil*"))


def test_a_file_replaces_a_link_of_its_name_and_is_not_written_through_it(folder: Path, tmp_path: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    link = ("x", {**LINK, "linkname": "../secret"}, b"")
    unpack(tar_of(tmp_path / "a.tgz", link, ("x", {}, b"new")), "tgz", str(folder))
    assert (folder / "x").read_text() == "new"
    assert (folder.parent / "secret").read_text() == "secret"


def test_absolute_names_are_taken_as_relative(folder: Path, tmp_path: Path) -> None:
    unpack(tar_of(tmp_path / "a.tgz", ("/etc/x", {}, b"x")), "tgz", str(folder))
    assert (folder / "etc/x").read_text() == "x"


def test_modes_times_links_and_empty_folders_come_along(folder: Path, tmp_path: Path) -> None:
    archive = tar_of(
        tmp_path / "a.tgz",
        ("sub", {"type": tarfile.DIRTYPE, "mode": 0o555, "mtime": 1000}, b""),
        ("sub/tool", {"mode": 0o4755, "mtime": 2000}, b"x"),
        ("sub/hard", {"type": tarfile.LNKTYPE, "linkname": "sub/tool"}, b""),
        ("soft", {**LINK, "linkname": "/nowhere"}, b""),
    )
    unpack(archive, "tgz", str(folder))
    assert stat.S_IMODE((folder / "sub").stat().st_mode) == 0o555
    assert (folder / "sub").stat().st_mtime == 1000
    assert stat.S_IMODE((folder / "sub/tool").stat().st_mode) == 0o4755
    assert (folder / "sub/hard").samefile(folder / "sub/tool")
    assert str((folder / "soft").readlink()) == "/nowhere"
    (folder / "sub").chmod(0o755)


def test_a_compressed_tar_is_recognised_and_an_uncompressed_tgz_is_not(folder: Path, tmp_path: Path) -> None:
    unpack(tar_of(tmp_path / "a.tar", ("x", {}, b"x")), "tar", str(folder))
    plain = tar_of(tmp_path / "b.tgz", ("y", {}, b"y"), mode="w")
    with pytest.raises(Failure, match="not a sound tgz archive"):
        unpack(plain, "tgz", str(folder))


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_what_is_no_archive_is_refused(folder: Path, tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Failure, match="not a sound"):
        unpack(str(tmp_path / "a"), kind, str(folder))


def test_an_archive_that_is_cut_short_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = Path(tar_of(tmp_path / "a.tgz", ("x", {}, os.urandom(100_000))))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(Failure):
        unpack(str(archive), "tgz", str(folder))


def test_a_zip_keeps_modes_and_links_and_loses_what_would_leave(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        for name, mode, content in (
            ("tool", 0o100755, "x"),
            ("soft", stat.S_IFLNK | 0o777, "tool"),
            ("../evil", 0o100644, "x"),
            ("sub/", 0o040750, ""),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            bundle.writestr(info, content)
    unpack(str(tmp_path / "a.zip"), "zip", str(folder))
    assert stat.S_IMODE((folder / "tool").stat().st_mode) == 0o755
    assert str((folder / "soft").readlink()) == "tool"
    assert stat.S_IMODE((folder / "sub").stat().st_mode) == 0o750
    assert (folder / "evil").exists()
    assert not (folder.parent / "evil").exists()


def test_memory_does_not_grow_with_the_bundle(folder: Path, tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar", ("big", {}, bytes(60 << 20)), mode="w")
    tracemalloc.start()
    unpack(archive, "tar", str(folder))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert (folder / "big").stat().st_size == 60 << 20


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_a_later_member_cannot_hide_behind_a_folder_that_became_a_link(folder: Path, tmp_path: Path, kind: str) -> None:
    """`a/` is known to be a folder of ours when a link takes its name."""
    if kind == "tgz":
        members = [("a/x", {}, b"x"), ("a", {**LINK, "linkname": "../.."}, b""), ("a/evil", {}, b"x")]
        archive = tar_of(tmp_path / "a.tgz", *members)
    else:
        archive = str(tmp_path / "a.zip")
        with zipfile.ZipFile(archive, "w") as bundle:
            bundle.writestr("a/x", "x")
            link = zipfile.ZipInfo("a")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            bundle.writestr(link, "../..")
            bundle.writestr("a/evil", "x")
    with pytest.raises((Failure, OSError)):
        unpack(archive, kind, str(folder))
    assert not (tmp_path / "evil").exists()
