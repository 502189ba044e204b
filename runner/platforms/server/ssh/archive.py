"""The executor as it travels to hosts: one zipapp of `runner.host`, named by its content, and what makes it start fast."""

import functools
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

from runner import host as executor
from runner.host import modules

_NAME_LENGTH = 20  # hexadecimal digits
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import sys\n\nfrom runner.host.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


class Archive(NamedTuple):
    """*name*: of its content. *files*: what has to stand on the host. *arrival*: the program that puts it there."""

    name: str
    files: dict[str, bytes]
    arrival: bytes


@functools.cache
def archive() -> Archive:
    """The executor of this version; the same bytes however often it is built."""
    folder = Path(executor.__file__).parent
    sources = {"runner/__init__.py": b""}
    sources |= {f"runner/host/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}
    files = {
        "penstock-host.pyz": _zipped({"__main__.py": _MAIN, **sources}),
        "start.py": sources["runner/host/start.py"],
        modules.file_name(): modules.compiled(sources),
    }
    digest = hashlib.sha256()
    for name, source in sources.items():
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return Archive(digest.hexdigest()[:_NAME_LENGTH], files, sources["runner/host/arrive.py"])


def _zipped(sources: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, source in sources.items():
            zipped.writestr(zipfile.ZipInfo(name, _NO_TIME), source, zipfile.ZIP_DEFLATED)
    return made.getvalue()
