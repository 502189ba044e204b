"""All modules of the executor, compiled, in one file: one read at its start, where there would be a search for each.

Code belongs to the versions of Python that share its magic number. The control side sends what it has compiled for its
own; any other Python takes the sources, out of the zipapp, and keeps what it has made of them for the next time.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

    Codes = Mapping[str, "tuple[bool, bytes]"]  # module: whether it is a package, and its code

_Spec: Any = type(sys.__spec__)  # what `importlib` calls ModuleSpec, without importing that


def file_name() -> str:
    """What the file is called that this Python can use. `start` has the same words."""
    magic: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    return "modules-" + magic[:2].hex()


def compiled(sources: Mapping[str, bytes]) -> bytes:
    """The content of such a file. *sources*: paths inside the zipapp, such as `runner/host/event.py`, to their text."""
    found = {}
    for path, source in sources.items():
        parts = path[: -len(".py")].split("/")
        is_package = parts[-1] == "__init__"
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        found[".".join(parts[:-1] if is_package else parts)] = is_package, marshal.dumps(code)
    return marshal.dumps(found)


def use(codes: Codes) -> None:
    """Have every module that *codes* has come from there."""
    sys.meta_path.insert(0, _Finder(codes))


def make(place: str, zipapp: str) -> None:
    """Make the file in the folder *place* out of *zipapp*. Where that cannot be, starting stays slow; that is all."""
    import zipfile

    path = os.path.join(place, file_name())
    part = "{}.{}".format(path, os.getpid())
    try:
        with zipfile.ZipFile(zipapp) as archive:
            content = compiled({name: archive.read(name) for name in archive.namelist() if name.startswith("runner/")})
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError:
        pass


class _Finder:
    """Finds modules in *codes*, and loads them."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        return _Spec(name, self, is_package=self._codes[name][0]) if name in self._codes else None

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(marshal.loads(self._codes[module.__name__][1]), module.__dict__)
