"""A real HAProxy on loopback, in front of servers that the test names; asked and told by its runtime API like any other."""

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

CONFIGURATION = """\
global
  stats socket {folder}/admin.sock mode 600 level admin
  stats socket {folder}/operator.sock mode 600 level operator
  stats socket ipv4@127.0.0.1:{api} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 5s
  retries 0
frontend front
  bind 127.0.0.1:{port}
  default_backend {backend}
backend {backend}
  balance roundrobin
  {checks}
  default-server {check} inter 50ms fall 2 rise 2
{servers}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Haproxy:
    """*servers*: name to port. Errors are not hidden: no retries, no redispatching."""

    def __init__(
        self, folder: Path, servers: Mapping[str, int], *, backend: str = "app", checks: bool = True, more: str = ""
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.backend = folder, backend
        self.port, self.api = free_port(), free_port()
        self.socket, self.operator_socket = folder / "admin.sock", folder / "operator.sock"
        self.address = str(self.socket)
        self._file = folder / "haproxy.cfg"
        self._file.write_text(
            CONFIGURATION.format(
                folder=folder,
                port=self.port,
                api=self.api,
                backend=backend,
                checks="option httpchk GET /health" if checks else "",
                check="check" if checks else "",
                servers="".join(f"  server {name} 127.0.0.1:{port} {more}\n" for name, port in servers.items()),
            )
        )
        self.start()

    def start(self) -> None:
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        self._process = subprocess.Popen(
            [program, "-f", str(self._file), "-db"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        limit = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < limit, "haproxy does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def tell(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(10)
            asking.connect(str(self.socket))
            asking.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: asking.recv(65536), b"")).decode()

    def status(self, server: str) -> str:
        return self.row(server)["status"]

    def row(self, server: str) -> dict[str, str]:
        names, *rows = self.tell(f"show stat {self.backend} 4 -1").removeprefix("# ").splitlines()
        cells = (dict(zip(names.split(","), row.split(","), strict=False)) for row in rows if row)
        return next(each for each in cells if each["svname"] == server)

    def _answers(self) -> bool:
        try:
            return bool(self.tell("show info"))
        except OSError:
            return False
