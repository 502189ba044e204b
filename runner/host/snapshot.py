"""All modules of the executor, compiled, in one file: one read at its start where there would be fifty searches.

The file belongs to one build of Python; where it is missing or another's, the modules are imported as usual, and it is
made for the next time.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    Codes = dict[str, tuple[bool, bytes]]  # module -> is it a package, its code as `marshal` writes it

_Spec: Any = type(sys.__spec__)  # what `importlib` calls ModuleSpec, without importing that


def use(top: str) -> None:
    """Have modules below the folder *top* come from its snapshot, which is made if need be. Never raises."""
    path = os.path.join(top, "modules-{:x}".format(sys.hexversion))
    try:
        with open(path, "rb") as file:
            codes: Codes = marshal.loads(file.read())
    except (OSError, ValueError, EOFError, TypeError):
        codes = _codes(top)
        _save(path, codes)
    sys.meta_path.insert(0, _Finder(codes))


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


def _codes(top: str) -> Codes:
    found: Codes = {}
    for folder, _, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            parts = os.path.relpath(path, top)[: -len(".py")].split(os.sep)
            if not name.endswith(".py") or parts[0] != "runner":
                continue
            is_package = parts[-1] == "__init__"
            try:
                with open(path, "rb") as file:
                    code = compile(file.read(), path, "exec", dont_inherit=True)
            except (OSError, SyntaxError, ValueError):
                continue
            found[".".join(parts[:-1] if is_package else parts)] = is_package, marshal.dumps(code)
    return found


def _save(path: str, codes: Codes) -> None:
    part = "{}.{}".format(path, os.getpid())
    try:
        with open(part, "wb") as file:
            file.write(marshal.dumps(codes))
        os.replace(part, path)
    except OSError:  # a full disk, or a folder that is not ours: then it is slower, that is all
        pass
