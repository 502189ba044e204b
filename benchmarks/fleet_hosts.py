"""Hosts to deploy to: a real sshd each, on a loopback port of its own, with a folder that stands for the host's `/`."""

import getpass
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.cpu import Counted

SSHD = "/usr/sbin/sshd"  # it insists on an absolute path
CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {place}/client_key.pub
PidFile none
StrictModes no
UseDNS no
UsePAM no
PrintMotd no
PermitUserRC no
Subsystem sftp internal-sftp
SetEnv HOME={folder}/home
"""


class SshHost(NamedTuple):
    """*root*: the folder that stands for `/`."""

    name: str
    port: int
    root: Path


class Fleet:
    """*hosts*, as long as `running` lasts. *user* logs in. *identity*: the client's key. *known_hosts*: every host's key."""

    def __init__(self, place: Path, count: int) -> None:
        self.place, self.identity, self.known_hosts = place, place / "client_key", place / "known_hosts"
        self.user = getpass.getuser()
        self._daemons: dict[str, Counted] = {}
        ports = _free_ports(count)
        names = [f"host-{number:03}" for number in range(1, count + 1)]
        self.hosts = [SshHost(name, port, place / name / "root") for name, port in zip(names, ports, strict=True)]

    @contextmanager
    def running(self) -> Iterator["Fleet"]:
        self.place.mkdir(parents=True)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd as root locks its unprivileged half in
        _new_key(self.identity)
        try:
            for host in self.hosts:
                self._start(host)
            for host in self.hosts:
                _await_greeting(host)
            yield self
        finally:
            for daemon in self._daemons.values():
                daemon.end()

    def cpu(self, hosts: list[SshHost]) -> float | None:
        """CPU seconds so far of these hosts' sshd, and of everything that it started."""
        used = [self._daemons[host.name].cpu() for host in hosts]
        return sum(each for each in used if each is not None) if None not in used else None

    def cpu_at_rest(self, hosts: list[SshHost], seconds: float = 10) -> float | None:
        """The same, once the last process has ended: when the figure no longer grows."""
        limit, last = time.monotonic() + seconds, None
        while (now := self.cpu(hosts)) != last and time.monotonic() < limit:
            last = now
            time.sleep(0.05)
        return now

    def _start(self, host: SshHost) -> None:
        folder = host.root.parent
        host.root.mkdir(parents=True)
        (folder / "home").mkdir()
        key = _new_key(folder / "host_key")
        with self.known_hosts.open("a") as known:
            known.write(f"[127.0.0.1]:{host.port} {key}\n")
        (folder / "sshd_config").write_text(CONFIG.format(port=host.port, folder=folder, place=self.place))
        with (folder / "log").open("wb") as log:
            command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
            self._daemons[host.name] = Counted(command, stdout=log, stderr=log)


def wipe(hosts: list[SshHost]) -> None:
    """As if nothing had ever been deployed to these hosts."""
    for host in hosts:
        for _ in range(50):  # a last process may still write into it
            shutil.rmtree(host.root, ignore_errors=True)
            if not host.root.exists():
                break
            time.sleep(0.02)
        host.root.mkdir()


def _new_key(file: Path) -> str:
    """A pair of Ed25519 keys without a passphrase; returns the public one."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file.name, "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file.with_suffix(".pub").read_text().strip()


def _free_ports(count: int) -> list[int]:
    """Below the range from which the kernel takes the ports of outgoing connections."""
    below = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    for port in random.sample(range(10_000, below), below - 10_000):
        if len(found) == count:
            break
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _await_greeting(host: SshHost, seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", host.port), timeout=5) as connection:
            if connection.recv(4) == b"SSH-":
                return
        assert time.monotonic() < limit, (host.root.parent / "log").read_text()
        time.sleep(0.01)
