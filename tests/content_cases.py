"""Hosts that get bundles by content although they are on this machine, and connections that count, or break."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host_cases import appspec, bundle_of, job

from runner.model.command import Command, Job, Outcome
from runner.model.executor import ExecutorSettings
from runner.model.revision import Bundle
from runner.model.target import Host
from runner.platforms.server.connection import Broken, Connection
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.transport import LocalTransport

_BEGAN = time.time() - 1  # what was changed since then was not dated by an archive


class Counting:
    """A transport to local hosts that counts the bytes sent, and breaks a connection after *break_after* of them."""

    def __init__(self) -> None:
        self.local = LocalTransport()
        self.sent = 0
        self.break_after: int | None = None
        self.connections = 0

    async def connect(self, host: Host) -> Connection:
        self.connections += 1
        return _Counted(await self.local.connect(host), self)

    async def close(self) -> None:
        await self.local.close()

    def peak_memory(self) -> int:
        """The most memory, in bytes, that any of the open sessions has ever had resident."""
        hub = self.local.hub_pid
        sessions = Path(f"/proc/{hub}/task/{hub}/children").read_text().split()
        return max(_peak_memory(pid) for pid in sessions)


class _Counted:
    def __init__(self, connection: Connection, counter: Counting) -> None:
        self._connection, self._counter = connection, counter

    async def send(self, content: bytes) -> None:
        limit = self._counter.break_after
        if limit is not None and self._counter.sent + len(content) > limit:
            await self._connection.send(content[: limit - self._counter.sent])
            self._counter.sent, self._counter.break_after = limit, None
            await self._connection.close()
            raise Broken("the test has broken the connection")
        await self._connection.send(content)
        self._counter.sent += len(content)

    async def receive_line(self) -> bytes:
        return await self._connection.receive_line()

    async def close(self) -> None:
        await self._connection.close()


class Receiver:
    """One host below *folder* that gets bundles by content (or, if not *by_content*, from the cache), and its platform."""

    def __init__(self, folder: Path, *, by_content: bool = True, packs: Path | None = None, **settings: Any) -> None:
        self.root = folder / ("host" if by_content else "local")
        self.state = self.root / "var/lib/penstock"
        self.host = Host(name="web-1", folder=str(self.root))
        self.transport = Counting()
        self.packs = packs or folder / "packs"
        self.platform = ServerPlatform(
            transport=self.transport, packs=self.packs, by_content=by_content, settings=ExecutorSettings(**settings)
        )

    async def download(self, bundle: Bundle, deployment: str = "d-1", group: str = "group-1") -> Outcome:
        return await self.run("DownloadBundle", job(bundle, appspec(), deployment, group))

    async def run(self, event: str, made: Job) -> Outcome:
        command = Command(job=made, host=self.host, lifecycle_event=event, attempt=1)
        return await self.platform.run(command, lambda text: None)

    def archive(self, deployment: str = "d-1", group: str = "group-1") -> Path:
        return self.state / group / deployment / "deployment-archive"

    async def close(self) -> None:
        await self.platform.close()


def archived(path: Path, content: bytes) -> Bundle:
    """A bundle at *path*, which ends in its type, with the bytes of an archive."""
    path.write_bytes(content)
    return bundle_of(path, path.suffix[1:])


def tree(top: Path) -> list[tuple[object, ...]]:
    """Everything below *top* as it can be told apart: names, modes, owners, times, links, contents."""
    first_of: dict[int, str] = {}
    found = []
    for path in _walk(os.fsencode(top)):
        status = os.lstat(path)
        name = os.fsdecode(os.path.relpath(path, os.fsencode(top)))
        real = Path(os.fsdecode(path))
        is_link = real.is_symlink()
        found.append(
            (
                name,
                oct(status.st_mode),
                status.st_uid,
                status.st_gid,
                None if is_link or status.st_mtime > _BEGAN else status.st_mtime_ns,
                str(real.readlink()) if is_link else real.read_bytes() if real.is_file() else None,
                first_of.setdefault(status.st_ino, name),
            )
        )
    return found


def _walk(top: bytes) -> Iterator[bytes]:
    yield top
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        else:
            yield entry.path


def _peak_memory(pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("the kernel does not tell")
