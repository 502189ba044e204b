"""No damaged and no hostile archive is accepted, and the message names what is wrong with it."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from archives import APPSPEC, ARCHIVERS, entry, folder, hard_link, link, tar, tar_of, tgz_of, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import InvalidRevision
from runner.model.revision import BundleType
from runner.sources.archive import Limits
from runner.sources.inspection import Contents, inspect, link_target

SMALL = Limits(entries=50, size=10 * 1024 * 1024, ratio=100, free_of_ratio=100_000)


def look(folder: Path, content: bytes, bundle_type: BundleType, limits: Limits = SMALL) -> Contents:
    path = folder / "bundle"
    path.write_bytes(content)
    return inspect(path, bundle_type, limits)


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_an_honest_archive_is_accepted(tmp_path: Path, bundle_type: BundleType) -> None:
    found = look(tmp_path, ARCHIVERS[bundle_type](APPSPEC), bundle_type)
    assert found == Contents(entries=2, size=sum(map(len, APPSPEC.values())), top="")


def test_honest_links_and_repeated_folders_are_accepted(tmp_path: Path) -> None:
    honest = tar(
        folder("./"),
        folder("./web/"),
        folder("web"),
        entry("./web/a", b"1"),
        link("web/b", "a"),
        link("current", "./web"),
        link("web/deep/up", "../../web/a"),
        hard_link("c", "web/a"),
        hard_link("d", "./c"),
        link("dangling", "nothing/here"),
    )
    assert look(tmp_path, honest, "tar").entries == 10
    assert look(tmp_path, zip_of({"a": b"1", "l": b"a"}, {"l": stat.S_IFLNK | 0o777}), "zip").entries == 2


HOSTILE_TARS = {
    "a name that climbs out": (tar(entry("web/../../etc/passwd")), r"'web/\.\./\.\./etc/passwd'.*`\.\.`"),
    "an absolute name": (tar(entry("/etc/passwd")), "'/etc/passwd'.*absolute"),
    "an absolute folder": (tar(folder("/etc")), "'/etc'.*absolute"),
    "a link to the root": (tar(link("web/out", "/")), "'web/out'.*leads out"),
    "a link that climbs out": (tar(link("web/out", "../../etc")), "'web/out'.*leads out"),
    "a link that climbs out later": (tar(link("here", "."), link("out", "here/../..")), "'out'.*leads out"),
    "a link to nothing at all": (tar(link("web/out", "")), "'web/out'"),
    "a hard link out": (tar(hard_link("shadow", "/etc/shadow")), "'/etc/shadow'"),
    "a hard link that climbs out": (tar(hard_link("shadow", "../shadow")), r"\.\./shadow"),
    "a hard link to nothing": (tar(hard_link("a", "b")), "'a'.*names no file"),
    "a hard link to a link": (tar(link("l", "x"), hard_link("a", "l")), "'a'.*names no file"),
    "a file below a link": (tar(folder("web"), link("l", "web"), entry("l/a")), "'l/a'.*below 'l'"),
    "a file below a file": (tar(entry("a"), entry("a/b")), "'a/b'.*below 'a'"),
    "a folder that becomes a link": (tar(entry("web/a"), link("web", "/tmp")), "'web'.*twice"),
    "a link that becomes a file": (tar(link("a", "b"), entry("./a", b"x")), "'a'.*twice"),
    "a file that comes twice": (tar(entry("a", b"1"), entry("././a", b"2")), "'a'.*twice"),
    "a file that is named as a folder": (tar(entry("a/.", b"1")), r"'a/\.'.*name of a folder"),
    "a character device": (tar(entry("dev", kind=tarfile.CHRTYPE)), "'dev'.*device"),
    "a block device": (tar(entry("dev", kind=tarfile.BLKTYPE)), "'dev'.*device"),
    "a pipe": (tar(entry("pipe", kind=tarfile.FIFOTYPE)), "'pipe'.*pipe"),
    "an unknown kind": (tar(entry("odd", kind=b"Z")), "'odd'"),
    "the bundle's folder as a link": (tar(link("./", "/")), "own folder"),
    "a name without end": (tar(entry("a/" * 3000 + "b")), "name that no file can have"),
    "too many entries": (tar(*(entry(f"f{number}") for number in range(51))), "more than 50 entries"),
    "too many folders": (tar(entry("/".join(f"d{number}" for number in range(51)))), "more than 50 entries"),
    "nothing": (tar(), "empty archive"),
    "no tar": (b"#!/bin/sh\necho hello\n" * 100, "no sound tar"),
    "not a byte": (b"", "no sound tar"),
}


@pytest.mark.parametrize(("content", "says"), HOSTILE_TARS.values(), ids=HOSTILE_TARS.keys())
@pytest.mark.parametrize("bundle_type", ["tar", "tgz"])
def test_a_hostile_tar_is_refused(tmp_path: Path, content: bytes, says: str, bundle_type: BundleType) -> None:
    with pytest.raises(InvalidRevision, match=says.replace("sound tar", f"sound {bundle_type}")):
        look(tmp_path, gzip.compress(content) if bundle_type == "tgz" else content, bundle_type)


HOSTILE_ZIPS = {
    "a name that climbs out": (zip_of({"../a": b""}), r"'\.\./a'"),
    "an absolute name": (zip_of({"/etc/a": b""}), "'/etc/a'.*absolute"),
    "a link out": (zip_of({"out": b"/etc"}, {"out": stat.S_IFLNK | 0o777}), "'out'.*leads out"),
    "a link that climbs out": (zip_of({"a/out": b"../../x"}, {"a/out": stat.S_IFLNK}), "'a/out'.*leads out"),
    "a link with an endless target": (zip_of({"l": os.urandom(300_000)}, {"l": stat.S_IFLNK}), "'l'.*target"),
    "a file below a link": (zip_of({"l": b"x", "l/a": b""}, {"l": stat.S_IFLNK}), "'l/a'.*below 'l'"),
    "a file in two spellings": (zip_of({"a": b"1", "./a": b"2"}), "'a'.*twice"),
    "a device": (zip_of({"dev": b""}, {"dev": stat.S_IFCHR | 0o600}), "'dev'.*device"),
    "a socket": (zip_of({"s": b""}, {"s": stat.S_IFSOCK | 0o600}), "'s'.*socket"),
    "too many entries": (zip_of({f"f{number}": b"" for number in range(51)}), "more than 50 entries"),
    "nothing": (zip_of({}), "empty archive"),
    "no zip": (b"hello" * 100, "no sound zip"),
    "a tar": (tar_of(APPSPEC), "no sound zip"),
}


@pytest.mark.parametrize(("content", "says"), HOSTILE_ZIPS.values(), ids=HOSTILE_ZIPS.keys())
def test_a_hostile_zip_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InvalidRevision, match=says):
        look(tmp_path, content, "zip")


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, bundle_type: BundleType, part: float) -> None:
    whole = ARCHIVERS[bundle_type]({"a": bytes(range(256)) * 100, "b": b"b" * 5000})
    end = whole.rstrip(b"\0") if bundle_type == "tar" else whole
    with pytest.raises(InvalidRevision):
        look(tmp_path, whole[: int(len(end) * part)], bundle_type)


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_a_wrong_byte_is_noticed(tmp_path: Path, bundle_type: BundleType) -> None:
    content = bytearray(ARCHIVERS[bundle_type]({"a": bytes(range(256)) * 20, "b": b"1"}))
    content[content.rindex(b"ustar") if bundle_type == "tar" else len(content) // 3] ^= 0xFF
    with pytest.raises(InvalidRevision):
        look(tmp_path, bytes(content), bundle_type)


def test_a_wrong_checksum_at_the_very_end_of_a_tgz_is_noticed(tmp_path: Path) -> None:
    content = bytearray(tgz_of(APPSPEC))
    content[-6] ^= 0xFF
    with pytest.raises(InvalidRevision, match="CRC"):
        look(tmp_path, bytes(content), "tgz")


@pytest.mark.parametrize("bundle_type", ["tgz", "zip"])
def test_a_decompression_bomb_is_refused(tmp_path: Path, bundle_type: BundleType) -> None:
    bomb = ARCHIVERS[bundle_type]({"bomb": b"\0" * 5_000_000})
    assert len(bomb) < 50_000
    with pytest.raises(InvalidRevision, match="100 times its size"):
        look(tmp_path, bomb, bundle_type)


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_a_bundle_that_would_fill_the_disk_is_refused(tmp_path: Path, bundle_type: BundleType) -> None:
    limits = Limits(size=1_000_000)
    with pytest.raises(InvalidRevision, match="more than 1000000 bytes"):
        look(tmp_path, ARCHIVERS[bundle_type]({"a": b"\0" * 600_000, "b": b"\0" * 600_000}), bundle_type, limits)


def test_a_sparse_file_counts_with_its_whole_size(tmp_path: Path) -> None:
    header, _ = entry("sparse", kind=tarfile.GNUTYPE_SPARSE)
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:398] = b"%011o\0" % 0  # one run: at 0, of no bytes
    block[398:410] = b"%011o\0" % 0
    block[483:495] = b"%011o\0" % (10 * 1024**3 // 2)  # the size that it unpacks to
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(InvalidRevision, match="unpacks to more than"):
        look(tmp_path, bytes(block) + b"\0" * 1024, "tar")


def test_a_header_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    header, _ = entry("x", kind=tarfile.XHDTYPE)
    header.size = 4 * 1024**3
    with pytest.raises(InvalidRevision, match="header of"):
        look(tmp_path, header.tobuf() + b"\0" * 4096, "tar")


def test_an_archive_in_an_archive_is_a_file_like_any_other(tmp_path: Path) -> None:
    assert look(tmp_path, tar_of({"inner.tgz": tgz_of({"../x": b""})}), "tar").entries == 1
    with pytest.raises(InvalidRevision, match="no sound tgz"):
        look(tmp_path, gzip.compress(tgz_of(APPSPEC)), "tgz")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_declared_tar_is_accepted_as_the_agent_does(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    assert look(tmp_path, compress(tar_of(APPSPEC)), "tar").entries == 2


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_a_broken_compressed_tar_is_refused(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    content = compress(tar_of({"a": bytes(range(256)) * 100}))
    with pytest.raises(InvalidRevision):
        look(tmp_path, content[: len(content) // 2], "tar")
    with pytest.raises(InvalidRevision):
        look(tmp_path, content[:20] + b"!" * 20 + content[40:], "tar")


def test_a_plain_tar_declared_tgz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRevision, match="declared as tgz"):
        look(tmp_path, tar_of(APPSPEC), "tgz")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of({"secret": b"hello"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidRevision, match=r"'secret'.*encrypted"):
        look(tmp_path, bytes(content), "zip")


def test_a_zip_whose_two_lists_disagree_is_refused(tmp_path: Path) -> None:
    content = zip_of({"honest": b"hello"})
    with pytest.raises(InvalidRevision, match="no sound zip"):
        look(tmp_path, content.replace(b"honest", b"../etc", 1), "zip")


def test_a_zip_with_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a": b"hello"}))
    content[content.index(b"PK\x01\x02") + 10] = 99
    content[8] = 99
    with pytest.raises(InvalidRevision, match="cannot be read"):
        look(tmp_path, bytes(content), "zip")


@pytest.mark.parametrize(
    ("files", "top"),
    [
        ({"shop/appspec.yml": b"", "shop/web/a": b""}, "shop"),
        ({"shop/My-AppSpec.json": b""}, "shop"),
        ({"shop/appspec/x": b""}, "shop"),
        ({"shop/web/appspec.yml": b""}, ""),
        ({"shop/appspec.yml": b"", ".hidden": b""}, ""),
        ({"appspec.yml": b""}, ""),
        ({"appspec/index.html": b""}, ""),
    ],
)
@pytest.mark.parametrize("bundle_type", ["tar", "zip"])
def test_a_single_top_folder_with_an_appspec_is_found(
    tmp_path: Path, files: dict[str, bytes], top: str, bundle_type: BundleType
) -> None:
    assert look(tmp_path, ARCHIVERS[bundle_type](files), bundle_type).top == top


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "c"]), min_size=1, max_size=5).map("/".join)
MEMBERS = st.lists(
    st.one_of(
        st.builds(entry, NAMES, st.just(b"x")),
        st.builds(folder, NAMES),
        st.builds(link, NAMES, st.one_of(NAMES, NAMES.map(lambda name: f"/{name}"))),
        st.builds(hard_link, NAMES, NAMES),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(entries=MEMBERS)
def test_what_is_accepted_stays_inside_when_it_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    place = tmp_path_factory.mktemp("unpack")
    content = tar(*entries)
    try:
        look(place, content, "tar")
    except InvalidRevision:
        return
    inside = place / "one" / "two" / "inside"
    inside.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(inside, filter="fully_trusted")
    assert {path.name for path in place.rglob("*") if not path.is_relative_to(inside)} == {"bundle", "one", "two"}
    for path in inside.rglob("*"):
        if path.is_symlink():
            try:
                assert path.resolve(strict=False).is_relative_to(inside)
            except (RuntimeError, OSError):
                pass  # links in a circle lead nowhere


def test_a_link_target_is_counted_from_the_links_own_folder() -> None:
    assert link_target("a/b/c", "../d") == "a/d"
    assert link_target("a/b/c", "../../d/e") == "d/e"
    assert link_target("a", "./b") == "b"
    with pytest.raises(InvalidRevision):
        link_target("a/b/c", "../../../d")


def test_zip_can_hold_plain_members_of_other_systems(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "1")
    assert look(tmp_path, out.getvalue(), "zip").entries == 1
