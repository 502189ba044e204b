"""`penstock validate` and `--help` against the start of a bare interpreter, whole processes, bytecode compiled before."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Sample, Table, Take, in_turns
from benchmarks.site import Repository, folder

RUNS = 20
FLOOR = "python -c pass"


def measure(runs: int, *, small: bool = False) -> Table:
    with folder() as place:
        repository = Repository(place / "shop", "#!/bin/sh\n", ("ValidateService",), files=1)
        repository.commit()
        plain = shutil.copytree(repository.folder, place / "plain", ignore=shutil.ignore_patterns(".git"))
        penstock = _command()
        cases = {
            FLOOR: ([sys.executable, "-c", "pass"], plain),
            "penstock --help": ([*penstock, "--help"], plain),
            "penstock validate, in a folder (goal: 8 x)": ([*penstock, "validate"], plain),
            "penstock validate, in a git checkout": ([*penstock, "validate"], repository.folder),
        }
        environment = _as_installed(place)
        takes = [_take(name, command, cwd, environment) for name, (command, cwd) in cases.items()]
        in_turns(takes, 1)  # compiles
        rows = in_turns(takes, runs)
    return Table(
        title="validate",
        about=f"One manifest, one AppSpec, no mistakes. Started as `{' '.join(Path(each).name for each in penstock)}`.",
        rows=rows,
        floors={name: FLOOR for name in cases if name != FLOOR},
    )


def _command() -> list[str]:
    """The installed command, as people start it; where there is none, the package."""
    installed = Path(sys.executable).with_name("penstock")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "runner"]


def _as_installed(place: Path) -> dict[str, str]:
    """An environment in which bytecode is kept, in a place of our own, whatever holds for this process."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(place / "bytecode")}


def _take(name: str, command: list[str], cwd: Path, environment: dict[str, str]) -> Take:
    def take() -> dict[str, Sample]:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return {name: Sample(wall, used.ru_utime + used.ru_stime)}

    return take
