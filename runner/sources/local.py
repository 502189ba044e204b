"""Bundles that lie about on this machine: an archive, or a folder, which is packed into one."""

import shutil
import tarfile
import uuid
from pathlib import Path
from typing import IO, cast

from runner.errors import UserError
from runner.model.revision import Bundle, BundleType
from runner.sources.bundles import Bundles, Incoming

_TYPES: dict[str, BundleType] = {".tar": "tar", ".tgz": "tgz", ".tar.gz": "tgz", ".zip": "zip"}


def local_bundle(path: Path, bundles: Bundles) -> Bundle:
    """The archive or folder *path* in the cache *bundles*, inspected like any other.

    Raises `UserError` for what is neither, `InvalidRevision` for one that is damaged or hostile, `WorldError`.
    """
    key = f"local {uuid.uuid4()}"  # it may change at any time, so it is never looked up again
    if path.is_dir():
        return bundles.get(key, "tar", lambda incoming: _pack(path, incoming), label=str(path))
    if not path.is_file():
        raise UserError(f"there is no bundle {path}; name an archive or a folder")
    kind = next((kind for suffix, kind in _TYPES.items() if path.name.endswith(suffix)), None)
    if kind is None:
        raise UserError(f"{path} is no bundle by its name, which should end in {', '.join(_TYPES)}")
    return bundles.get(key, kind, lambda incoming: _copy(path, incoming), label=str(path))


def _copy(path: Path, incoming: Incoming) -> None:
    incoming.expect(path.stat().st_size)
    with path.open("rb") as file:
        shutil.copyfileobj(file, cast("IO[bytes]", incoming), 1 << 20)


def _pack(folder: Path, incoming: Incoming) -> None:
    """As a commit of it would be packed: without `.git`, and without owners."""
    with tarfile.open(fileobj=cast("IO[bytes]", incoming), mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folder.iterdir()):
            if path.name != ".git":
                tar.add(path, path.name, filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
