"""How a host is reached. A transport opens connections to sessions on hosts, and knows nothing of what is said on them."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from runner import host as executor
from runner.errors import WorldError
from runner.model.target import Host
from runner.platforms.server.connection import LONGEST_MESSAGE, Connection, StreamConnection


class Transport(Protocol):
    """Opens connections to hosts of one kind."""

    async def connect(self, host: Host) -> Connection:
        """Start a session on *host* and connect to it.

        Raises `WorldError`: retryable when waiting may help, otherwise when somebody has to mend something first.
        """
        ...

    async def close(self) -> None:
        """Let go of what all connections share; those that are open stay."""
        ...


class Transports:
    """All transports, each made when its first host is connected to. Implements `Transport` itself."""

    def __init__(self) -> None:
        self._made: dict[str, Transport] = {}

    async def connect(self, host: Host) -> Connection:
        return await self._of(host.transport).connect(host)

    async def close(self) -> None:
        for transport in self._made.values():
            await transport.close()

    def _of(self, name: str) -> Transport:
        if name not in self._made:
            self._made[name] = _transport(name)
        return self._made[name]


def _transport(name: str) -> Transport:
    if name == "ssh":
        from runner.platforms.server.ssh.transport import SshTransport  # libssh2, for those who need it

        return SshTransport()
    return LocalTransport()


class LocalTransport:
    """Hosts that are folders of this machine. One hub per runner forks a session for each connection.

    The hub is started with an environment of its own, so that nothing of ours can reach a script through it.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._hub: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def hub_pid(self) -> int | None:
        return self._hub.pid if self._hub else None

    async def connect(self, host: Host) -> Connection:
        _make_folder(Path(host.folder))
        ours, theirs = socket.socketpair()
        try:
            await self._pass_on(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return StreamConnection(*await asyncio.open_unix_connection(sock=ours, limit=LONGEST_MESSAGE))

    async def close(self) -> None:
        hub, self._hub = self._hub, None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if hub is not None:
            await asyncio.to_thread(hub.wait)

    async def _pass_on(self, connection: socket.socket) -> None:
        """Give *connection* to the hub, which is started if it does not run (any more)."""
        for last in (False, True):
            channel = self._channel or self._start()
            try:
                await _send(channel, connection)
                return
            except OSError as error:
                if self._channel is channel:  # else somebody else has already seen to it
                    await self.close()
                if last:
                    raise WorldError(f"the executor of local hosts cannot be reached: {error}") from error

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            self._hub = subprocess.Popen(
                [self._python, "-I", "-S", str(Path(executor.__file__).parent), "hub"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise WorldError(f"the executor of local hosts cannot be started: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._channel = ours
        return ours


async def _send(channel: socket.socket, connection: socket.socket) -> None:
    while True:
        with contextlib.suppress(BlockingIOError):
            socket.send_fds(channel, [b"+"], [connection.fileno()])
            return
        await asyncio.sleep(0.005)


def _make_folder(folder: Path) -> None:
    """Make the folder of a host. Its parent must be there: a whole path that is missing is more likely a mistake."""
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise WorldError(
            f"its folder {folder} cannot be made, because {folder.parent} does not exist; make it, or correct "
            "`folder` in the runner's configuration",
            retryable=False,
        ) from error
    except OSError as error:
        raise WorldError(f"its folder {folder} cannot be made: {error.strerror}", retryable=False) from error
