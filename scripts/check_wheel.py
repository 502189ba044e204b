"""What a wheel must have. Used by scripts/test-wheel.

python scripts/check_wheel.py files dist/penstock-0.1.0-py3-none-any.whl    every tracked file, byte for byte
python -I scripts/check_wheel.py modules                                    every module of what is installed imports
"""

import importlib
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("__main__", "start")  # they run when they are imported


def missing_files(wheel: str) -> list[str]:
    """Tracked files of the package and its data that *wheel* lacks or has otherwise."""
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z", "runner", "schemas", "pipelines"], text=True)
    tracked = [name for name in listed.split("\0") if name and (ROOT / name).exists()]
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    placed = {name: name if name.startswith("runner/") else f"runner/{name}" for name in tracked}
    if not tracked:
        sys.exit("git knows of no files here")
    return [name for name, place in placed.items() if inside.get(place) != (ROOT / name).read_bytes()]


def broken_modules() -> list[str]:
    """Modules of the installed package that cannot be imported, each with the reason."""
    import runner

    where = Path(runner.__file__)
    if "site-packages" not in where.parts:
        sys.exit(f"this would look at {where}, not at the wheel")
    broken, names = [], [each.name for each in pkgutil.walk_packages(runner.__path__, "runner.")]
    for name in names:
        if name.rpartition(".")[2] in PROGRAMS:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - all of them are told at once
            broken.append(f"{name}: {error!r}")
    print(f"{len(names)} modules in {where.parent}")
    return broken


if __name__ == "__main__":
    found = missing_files(sys.argv[2]) if sys.argv[1] == "files" else broken_modules()
    if found:
        sys.exit("The wheel lacks:\n" + "\n".join(found))
