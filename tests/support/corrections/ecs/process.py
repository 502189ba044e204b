"""The process of one task, on an address of loopback that is its own, as a task with awsvpc has its own."""

import contextlib
import os
import random
import shutil
import socket
import subprocess

_SETPRIV = shutil.which("setpriv")


class Process:
    """Starts at once. Ends with the thread that started it, should the server be killed."""

    def __init__(self, command: list[str], port: int, environ: dict[str, str]) -> None:
        self.host, self.port = _free_address(port), port
        self._process = subprocess.Popen(
            [*_dying_with_us(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), **environ, "HOST": self.host, "PORT": str(port)},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_listening(self) -> bool:
        with contextlib.closing(socket.socket()) as asking:
            asking.settimeout(0.05)
            return asking.connect_ex((self.host, self.port)) == 0

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n when signal n ended it, as containers tell it."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.wait()


def _free_address(port: int) -> str:
    for _ in range(1000):
        host = f"127.{random.randint(64, 126)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with contextlib.closing(socket.socket()) as trying, contextlib.suppress(OSError):
            trying.bind((host, port))
            return host
    raise OSError(f"no address of loopback has port {port} free")


def _dying_with_us() -> list[str]:
    return [_SETPRIV, "--pdeathsig", "KILL", "--"] if _SETPRIV else []
