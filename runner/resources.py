"""The one door to the data that ships with the program: `schemas/` and `pipelines/`.

A wheel carries both folders inside the package, a checkout beside it; nobody else needs to know.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def read(folder: str, name: str) -> str:
    """The text of one shipped file, e.g. `read("schemas", "manifest.schema.json")`."""
    packaged = _PACKAGE / folder
    root = packaged if packaged.is_dir() else _PACKAGE.parent / folder
    return (root / name).read_text(encoding="utf-8")
