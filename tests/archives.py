"""Archives for tests, honest and hostile, built in memory."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping

APPSPEC = {"appspec.yml": b"version: 0.0\nos: linux\n", "web/index.html": b"hello"}


def entry(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """One member of a tar."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, target, len(content)
    header.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return header, content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.SYMTYPE, target=target)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.LNKTYPE, target=target)


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.DIRTYPE)


def tar(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of *entries*, exactly as given."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for header, content in entries:
            archive.addfile(header, io.BytesIO(content))
    return out.getvalue()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    return tar(*(entry(name, content) for name, content in files.items()))


def tgz_of(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tar_of(files), mtime=0)


def zip_of(files: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A zip of *files*; *modes*: Unix modes with the type of file, for those that are not plain."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            header = zipfile.ZipInfo(name, (2026, 1, 5, 10, 0, 0))
            header.compress_type = zipfile.ZIP_DEFLATED
            header.create_system = 3
            header.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(header, content)
    return out.getvalue()


ARCHIVERS: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {"tar": tar_of, "tgz": tgz_of, "zip": zip_of}
