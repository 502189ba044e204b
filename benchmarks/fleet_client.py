"""Commands of a contender, carried out and measured: time on the wall, and CPU time of everything that was waited for."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Sample


class Command(NamedTuple):
    """*stdin*: a text. *environment*: beside PATH, HOME (an empty folder) and LANG; nothing else reaches it."""

    arguments: Sequence[str]
    stdin: str = ""
    environment: Mapping[str, str] = {}


class Client:
    """*folder*: the working folder of all commands; their output is in `log` there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._home = folder, folder / "home"
        self._home.mkdir(parents=True)

    def carry_out(self, commands: Sequence[Command]) -> Sample:
        """One after the other. Raises `AssertionError` with the output when one fails."""
        began = time.perf_counter()
        cpu = sum(self._cpu(command) for command in commands)
        return Sample(time.perf_counter() - began, cpu)

    def _cpu(self, command: Command) -> float:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8", **command.environment}
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command.arguments,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        try:
            assert process.stdin
            process.stdin.write(command.stdin.encode())
            process.stdin.close()
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # told to stop
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"{command.arguments} failed:\n{self._said()}"
        return used.ru_utime + used.ru_stime

    def _said(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-8000:]
