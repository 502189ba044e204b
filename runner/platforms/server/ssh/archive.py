"""The executor as it travels to hosts: one archive of `runner.host`, named by its content."""

import functools
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

from runner import host as executor

_NAME_LENGTH = 20  # hexadecimal digits
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class Archive(NamedTuple):
    """*name*: of its content. *content*: a zip. *arrival*: the program that puts it in place on a host."""

    name: str
    content: bytes
    arrival: bytes


@functools.cache
def archive() -> Archive:
    """The executor of this version; the same bytes however often it is built."""
    folder = Path(executor.__file__).parent
    sources = {"runner/__init__.py": b""}
    sources |= {f"runner/host/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}
    digest = hashlib.sha256()
    for name, source in sources.items():
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return Archive(digest.hexdigest()[:_NAME_LENGTH], _zipped(sources), (folder / "arrive.py").read_bytes())


def _zipped(sources: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, source in sources.items():
            zipped.writestr(zipfile.ZipInfo(name, _NO_TIME), source, zipfile.ZIP_DEFLATED)
    return made.getvalue()
