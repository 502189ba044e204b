"""The other tools' virtual environment: the versions that pyproject.toml pins in its group `bench`, kept between runs."""

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def environment() -> Path:
    """Its folder, made when it is not there yet: `~/.cache/penstock-bench/...`, or below $XDG_CACHE_HOME."""
    wanted = _wanted()
    name = hashlib.sha256(f"{sys.version} {wanted}".encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-bench" / name
    if not (folder / "complete").exists():
        print(f"installing {', '.join(wanted)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", *wanted], check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return folder


def versions() -> str:
    return ", ".join(each.replace("==", " ") for each in _wanted())


def _wanted() -> list[str]:
    groups = tomllib.loads(PYPROJECT.read_text())["dependency-groups"]
    return [str(each) for each in groups["bench"]]
