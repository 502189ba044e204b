"""The executor as it travels to hosts: one zipapp of `runner.host`, named by its content, and what makes it start fast."""

import functools
import hashlib
import io
import zipfile
from pathlib import Path

from runner import host as executor
from runner.host import modules

_NAME_LENGTH = 20  # hexadecimal digits
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import sys\n\nfrom runner.host.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


class Archive:
    """The executor of this version; the same bytes however often it is built. *name*: of its content."""

    def __init__(self) -> None:
        folder = Path(executor.__file__).parent
        self._sources = {"runner/__init__.py": b""}
        for path in sorted(folder.rglob("*.py")):
            self._sources[f"runner/host/{path.relative_to(folder)}"] = path.read_bytes()
        digest = hashlib.sha256()
        for name, source in self._sources.items():
            digest.update(f"{name}\0{len(source)}\0".encode() + source)
        self.name = digest.hexdigest()[:_NAME_LENGTH]

    @property
    def arrival(self) -> bytes:
        """The program that puts `files` in place."""
        return self._sources["runner/host/arrive.py"]

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        """What has to stand on a host. Made only for hosts that do not have it yet: compiling takes a moment."""
        return {
            "penstock-host.pyz": _zipped({"__main__.py": _MAIN, **self._sources}),
            "start.py": self._sources["runner/host/start.py"],
            modules.file_name(): modules.compiled(self._sources),
        }


@functools.cache
def archive() -> Archive:
    return Archive()


def _zipped(sources: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, source in sources.items():
            zipped.writestr(zipfile.ZipInfo(name, _NO_TIME), source, zipfile.ZIP_DEFLATED)
    return made.getvalue()
