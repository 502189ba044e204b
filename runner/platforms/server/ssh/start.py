"""Starting the executor on a host: one command when it stands there already, else it is sent first."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from runner.errors import WorldError
from runner.model.target import Host, Ssh
from runner.model.value import from_json
from runner.platforms.server.connection import Broken
from runner.platforms.server.ssh.archive import archive
from runner.platforms.server.ssh.link import Link
from runner.platforms.server.ssh.stream import Ended, Stream
from runner.platforms.server.ssh.trouble import Refused

T = TypeVar("T")

_MOST_NOISE = 256 << 10  # bytes that a login shell may print before the executor speaks
_MARK = b'\n{"penstock": '
_NOT_FOUND = 127  # exit status of every shell for a command that is not there
_BOOTSTRAP = 'import os;f=os.fdopen(0,"rb");exec(f.read(int(f.readline())))'


async def start(link: Link, host: Host) -> Stream:
    """Start a session of the executor of this very version on *host*, over *link*.

    Raises `WorldError`: without `retryable` when something has to be mended on the host first.
    """
    ssh = host.ssh or Ssh()
    if _lingers(ssh) and (stream := await _within(ssh, "take up the executor", lambda: _warm(link, host, ssh))):
        return stream
    try:
        return await _within(ssh, "start the executor", lambda: _session(link, host, ssh))
    except _DidNotStart:
        await _within(ssh, "take the executor", lambda: _send(link, host, ssh))
    try:
        return await _within(ssh, "start the executor", lambda: _session(link, host, ssh))
    except _DidNotStart as error:
        raise Refused(f"the executor does not start on the host: {error.message}") from error


def session_command(host: Host) -> str:
    """The command that starts a session, quoted for any login shell."""
    ssh = host.ssh or Ssh()
    linger = [f"{ssh.linger.total_seconds():g}"] if _lingers(ssh) else []
    return _command(ssh, f"{_place(host)}/start.py", "session", archive().name, *linger)


def _place(host: Host) -> str:
    """Where the executor of this version stands on the host."""
    return f"{host.folder.rstrip('/')}/var/lib/penstock/executor/{archive().name}"


def _lingers(ssh: Ssh) -> bool:
    """One that runs as root stays out of reach of the user who logs in."""
    return bool(ssh.linger) and not ssh.sudo


def _command(ssh: Ssh, *arguments: str) -> str:
    words = ["exec", *(["sudo", "-n"] if ssh.sudo else []), ssh.python or "python3", "-I", "-S", *arguments]
    return " ".join(map(shlex.quote, words))


class _DidNotStart(WorldError):
    """The command ended before the executor spoke."""


async def _warm(link: Link, host: Host, ssh: Ssh) -> Stream | None:
    """A session of the executor that an earlier one has left behind (`runner.host.warm`); None if there is none."""
    open_socket = link.session.direct_streamlocal_ex
    try:
        channel = await link.call(open_socket, f"{_place(host)}/warm", "127.0.0.1", 0)
    except Broken:  # there is no such socket, or the server does not allow it
        return None
    stream = Stream(link, channel, ssh.keepalive.total_seconds())
    try:
        await _spoken(stream)
    except Broken:
        stream.close()
        return None
    return stream


async def _session(link: Link, host: Host, ssh: Ssh) -> Stream:
    stream = await _execute(link, session_command(host), ssh)
    try:
        await _speaks(stream, ssh)
    except BaseException:
        stream.close()
        raise
    return stream


async def _speaks(stream: Stream, ssh: Ssh) -> Any:
    """What our side of the host says first. Raises `_DidNotStart`, or `Refused` when it is clear what is wrong."""
    try:
        return await _spoken(stream)
    except Ended as error:
        printed = stream.unread
        status = await stream.exit_status()
        _explain(status, stream.stderr, ssh)
        words = [f"exit status {status}", *([f"after it printed: {_last_lines(printed)}"] if printed else [])]
        raise _DidNotStart(_last_lines(stream.stderr) or ", ".join(words)) from error


def _last_lines(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines()[-2:])


async def _send(link: Link, host: Host, ssh: Ssh) -> None:
    """Put the executor of this version on the host."""
    made = archive()
    sizes = [(name, len(content)) for name, content in made.files.items()]
    program = made.arrival + f"\narrive(f, {host.folder!r}, {made.name!r}, {sizes!r})\n".encode()
    stream = await _execute(link, _command(ssh, "-c", _BOOTSTRAP), ssh)
    try:
        await stream.send(b"%d\n%s%s" % (len(program), program, b"".join(made.files.values())))
        _judge(await _speaks(stream, ssh), ssh)
    except _DidNotStart as error:
        raise Refused(f"the executor could not be put on the host: {error.message}") from error
    finally:
        stream.close()


async def _spoken(stream: Stream) -> Any:
    """What the executor says first, whatever a login shell prints before it."""
    await stream.receive_until(_MARK, _MOST_NOISE)
    line = await stream.receive_until(b"}\n", _MOST_NOISE)
    return from_json(line[:-2], Any)


async def _execute(link: Link, command: str, ssh: Ssh) -> Stream:
    channel = await link.call(link.session.open_session)
    await link.call(channel.execute, command)
    return Stream(link, channel, ssh.keepalive.total_seconds())


def _judge(answer: Any, ssh: Ssh) -> None:
    """Raise what the arrival of the executor on the host came to, unless all is well."""
    if answer == "arrived":
        return
    if "failed" in answer:
        hint = (
            "; `sudo = true` makes the executor run as root, `folder` keeps it in a folder of the user's"
            if not ssh.sudo and "Permission" in str(answer)
            else ""
        )
        raise Refused(f"the executor could not be put on the host: {answer['failed']}{hint}")
    if "too_old" in answer:
        raise Refused(
            f"{ssh.python or 'python3'} on the host is Python {answer['too_old']}; the executor needs 3.8 or later. "
            'Install one, and name it with python = "/path/to/python3"'
        )


def _explain(status: int, said: str, ssh: Ssh) -> None:
    """Raise what is known about a command that ended with *status* before it had begun."""
    if ssh.sudo and said.startswith("sudo:") and ("password" in said or "not allowed" in said or "sudoers" in said):
        raise Refused(
            f"sudo on the host does not let {ssh.user or 'this user'} start Python without a password ({said}); "
            "allow it in sudoers (NOPASSWD), or log in as root, or leave out `sudo`"
        )
    if ssh.sudo and status == _NOT_FOUND and not said.startswith("sudo:"):
        raise Refused(
            f"there is no sudo on the host ({said}); install it, or log in as root and leave out `sudo`, or leave it out "
            "and give a `folder` of the user's"
        )
    if status == _NOT_FOUND or (ssh.sudo and "command not found" in said):
        looked = ssh.python or "python3 in PATH"
        raise Refused(
            f"there is no Python on the host: looked for {looked}, 3.8 or later. Install one, or name it with "
            f'python = "/path/to/python3" ({said})'
        )


async def _within(ssh: Ssh, what: str, do: Callable[[], Awaitable[T]]) -> T:
    limit = ssh.command_timeout.total_seconds()
    try:
        async with asyncio.timeout(limit):
            return await do()
    except TimeoutError as error:
        raise Broken(f"the host did not {what} within {limit:g} s (command_timeout)") from error
