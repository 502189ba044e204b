"""Programs for hosts: parts of `runner.host` as one zipapp, the same bytes however often it is made."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from runner import host

_AGENT = "agent"
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_FIRST_LINE = b"#!/usr/bin/env python3\n"


def sources(*, with_agent: bool) -> dict[str, bytes]:
    """The modules of `runner.host` by their paths in a zipapp. The agent is left out of what is sent over SSH."""
    folder = Path(host.__file__).parent
    found = {"runner/__init__.py": b""}
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if with_agent or inside.parts[0] != _AGENT:
            found[f"runner/host/{inside}"] = path.read_bytes()
    return found


def zipped(sources: Mapping[str, bytes], main: bytes) -> bytes:
    """A zipapp of *sources* that starts with *main*; with a first line for those who make it executable."""
    made = io.BytesIO()
    made.write(_FIRST_LINE)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, source in {"__main__.py": main, **sources}.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), source, zipfile.ZIP_DEFLATED)
    return made.getvalue()
