"""Real OpenSSH servers on loopback, each with its own keys, its own folder and a port that the kernel chose.

    with sshd(folder) as server:             # admits the current user, by server.user_key
        host = server.host("web-1")          # a Host for it; its `/` is the folder server.root
        outcome = await ServerPlatform().run(command_for(host), report)

Another login shell, or noise before every command, is an option: `ForceCommand exec dash -c "$SSH_ORIGINAL_COMMAND"`;
see the tests of SSH for more.
"""

import base64
import contextlib
import datetime as dt
import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.model.target import Host, Ssh

SSHD = "/usr/sbin/sshd"
PYTHON = next(each for each in ("/usr/bin/python3", sys.executable) if Path(each).exists())  # no shim: it starts fast


@dataclass
class Sshd:
    """A running server. *known_hosts* knows its key; `connections` counts those that it has taken."""

    folder: Path
    port: int
    host_key: Path
    user_key: Path
    strange_key: Path  # not admitted
    known_hosts: Path
    root: Path  # the folder that stands for `/` of its hosts
    user: str
    children: list[subprocess.Popen[bytes]]  # one for each connection

    @property
    def connections(self) -> int:
        return len(self.children)

    def host(self, name: str = "web-1", *, folder: Path | None = None, **of_ssh: Any) -> Host:
        """A host behind this server. Keywords: of `Ssh`. `tags` and `environment` are left to the caller."""
        given = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "identity_files": (str(self.user_key),),
            "known_hosts": str(self.known_hosts),
            "python": PYTHON,
            "linger": dt.timedelta(0),  # nothing stays behind a test, unless that is its matter
        }
        return Host(name=name, transport="ssh", folder=str(folder or self.root), ssh=Ssh(**{**given, **of_ssh}))

    @property
    def public_key(self) -> bytes:
        """The host key as it goes over the wire."""
        return base64.b64decode(self.host_key.with_suffix(".pub").read_text().split()[1])

    def admit(self, key: Path) -> None:
        """Let the owner of the private key at *key* in as well."""
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(key.with_suffix(".pub").read_text())

    def kill_connections(self) -> None:
        """Kill the server's side of every open connection: what runs there loses its pipes, and goes on."""
        _send(signal.SIGKILL, self.children)

    def stop_connections(self) -> None:
        """Let every open connection fall silent, as a network would that drops everything."""
        _send(signal.SIGSTOP, self.children)


@contextlib.contextmanager
def sshd(
    folder: Path, options: Sequence[str] = (), *, key_type: str = "ed25519", address: str = "127.0.0.1"
) -> Iterator[Sshd]:
    """A real sshd for the current user, by key only. *options*: more lines for its sshd_config; the first of a kind wins.

    *address*: another of loopback; `Sshd.host` is for the first.
    """
    if not Path(SSHD).exists():
        raise RuntimeError(f"{SSHD} is missing; install the Debian package openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    keys = {name: new_key(folder / name) for name in ("user", "strange")}
    keys["host"] = new_key(folder / "host", key_type)
    (folder / "authorized_keys").write_text(keys["user"].with_suffix(".pub").read_text())
    configuration = folder / "sshd_config"
    configuration.write_text(
        "".join(f"{option}\n" for option in options)
        + f"HostKey {keys['host']}\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        "UsePAM no\nPrintMotd no\nLogLevel ERROR\n"
        "SetEnv SHLVL=3\n"  # so that bash leaves out ~/.bashrc, which may take long on a machine of developers
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own privilege separation wants it
    with inetd(configuration, folder / "sshd.log", address) as (port, children):
        server = Sshd(
            folder=folder,
            port=port,
            host_key=keys["host"],
            user_key=keys["user"],
            strange_key=keys["strange"],
            known_hosts=folder / "known_hosts",
            root=folder / "root",
            user=getpass.getuser(),
            children=children,
        )
        public = " ".join(keys["host"].with_suffix(".pub").read_text().split()[:2])
        server.known_hosts.write_text(f"[{address}]:{port} {public}\n")
        yield server


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A key pair at *path* and *path*.pub, made anew."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@contextlib.contextmanager
def inetd(
    configuration: Path, log: Path, address: str = "127.0.0.1"
) -> Iterator[tuple[int, list[subprocess.Popen[bytes]]]]:
    """Listen ourselves and hand each connection to an sshd of its own: so the kernel can choose the port.

    Gives that port, and those that were started so far, which are ended at the end.
    """
    children: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                command = [SSHD, "-i", "-f", str(configuration), "-E", str(log)]
                children.append(subprocess.Popen(command, stdin=connection, stdout=connection, stderr=connection))

    with socket.create_server((address, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], children
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            _send(signal.SIGKILL, children)
            for child in children:
                child.wait()


def _send(number: int, servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Send a signal to every sshd that serves a connection, not to what runs in it."""
    for server in servers:
        if server.poll() is None:
            for process in (*_children(server.pid), server.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, number)


def _children(pid: int) -> list[int]:
    """The sshd processes below the process *pid*: those that serve its connection, not what runs in it."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip().startswith("sshd"):
                    found += [*_children(child), child]
    return found
