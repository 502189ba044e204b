"""The executor as it travels to hosts: one zipapp of `runner.host`, named by its content, and what makes it start fast."""

import functools
import hashlib

from runner.host import modules
from runner.platforms.server.zipapp import sources, zipped

_NAME_LENGTH = 20  # hexadecimal digits
_MAIN = b"import sys\n\nfrom runner.host.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


class Archive:
    """The executor of this version. *name*: of its sources."""

    def __init__(self) -> None:
        self._sources = sources(with_agent=False)
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
            "penstock-host.pyz": zipped(self._sources, _MAIN),
            "start.py": self._sources["runner/host/start.py"],
            modules.file_name(): modules.compiled(self._sources),
        }


@functools.cache
def archive() -> Archive:
    return Archive()
