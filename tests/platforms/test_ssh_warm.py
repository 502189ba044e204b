"""The executor that stays on a host for a while, so that the next session starts at once."""

import contextlib
import datetime as dt
import os
import signal
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from host_cases import appspec, commands, job, tgz
from processes import is_running, kill
from sshd import Sshd, sshd
from waiting import until

from runner.model.command import Outcome
from runner.model.target import Host
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.ssh.archive import archive

LONG, SHORT = dt.timedelta(seconds=30), dt.timedelta(seconds=0.4)
OF = "awk '{print $4}' /proc/%s/stat"  # the parent of a process
SCRIPT = f"#!/bin/sh\nsession=$({OF % '$PPID'}); {OF % '$session'} > above_session\n"


@pytest.fixture
def server() -> Iterator[Sshd]:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        sshd(Path(folder) / "s") as running,
    ):  # a socket's name is short
        yield running
        with contextlib.suppress(OSError):
            kill(who_listens(running))


@pytest.fixture
async def platform() -> AsyncIterator[ServerPlatform]:
    made = ServerPlatform()
    yield made
    await made.close()


def warm(server: Sshd) -> Path:
    return server.root / "var/lib/penstock/executor" / archive().name / "warm"


def who_listens(server: Sshd) -> int:
    """The process behind the socket. Raises `OSError` when there is none."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(warm(server)))
        return int(struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def answers(server: Sshd) -> bool:
    with contextlib.suppress(OSError):
        who_listens(server)
        return True
    return False


async def deploy(platform: ServerPlatform, host: Host, folder: Path, name: str) -> None:
    spec = appspec({}, {"ValidateService": ["s.sh"]})
    made = job(tgz(folder / f"{name}.tgz", {"s.sh": SCRIPT}), spec, name)
    for command in commands(made, host):
        outcome: Outcome = await platform.run(command, lambda text: None)
        assert outcome.succeeded, outcome


async def test_the_next_session_is_a_fork_of_what_stayed(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    host = server.host(linger=LONG)
    await deploy(platform, host, tmp_path, "d-1")
    await until(lambda: answers(server))
    stayed = who_listens(server)
    assert warm(server).stat().st_mode & 0o777 == 0o600
    await deploy(platform, host, tmp_path, "d-2")
    await deploy(platform, host, tmp_path, "d-3")
    assert who_listens(server) == stayed
    assert int((server.root / "above_session").read_text()) == stayed
    assert server.connections == 3


async def test_it_holds_no_connection_open(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    await deploy(platform, server.host(linger=LONG), tmp_path, "d-1")
    await until(lambda: answers(server))
    await until(lambda: all(child.poll() is not None for child in server.children))


async def test_it_goes_when_nobody_comes(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    await deploy(platform, server.host(linger=SHORT), tmp_path, "d-1")
    await until(lambda: answers(server))
    stayed = who_listens(server)
    await until(lambda: not is_running(stayed))
    assert not warm(server).exists()


async def test_one_that_was_killed_is_replaced(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    host = server.host(linger=LONG)
    await deploy(platform, host, tmp_path, "d-1")
    await until(lambda: answers(server))
    killed = who_listens(server)
    kill(killed)
    await until(lambda: not is_running(killed))
    await deploy(platform, host, tmp_path, "d-2")
    await until(lambda: answers(server))
    assert who_listens(server) != killed


async def test_one_that_waits_ends_at_once_when_it_is_asked_to(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    await deploy(platform, server.host(linger=LONG), tmp_path, "d-1")
    await until(lambda: answers(server))
    asked = who_listens(server)
    os.kill(asked, signal.SIGTERM)
    await until(lambda: not is_running(asked))


async def test_a_server_that_forbids_forwarding_starts_a_new_one_each_time(
    tmp_path: Path, platform: ServerPlatform
) -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        sshd(Path(folder) / "s", ["DisableForwarding yes"]) as server,
    ):
        host = server.host(linger=SHORT)
        await deploy(platform, host, tmp_path, "d-1")
        await until(lambda: answers(server))
        stayed = who_listens(server)
        await deploy(platform, host, tmp_path, "d-2")
        await until(lambda: not is_running(stayed))


async def test_nothing_stays_where_that_is_not_wanted(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    await deploy(platform, server.host(), tmp_path, "d-1")
    await platform.close()
    await until(lambda: all(child.poll() is not None for child in server.children))
    assert not warm(server).exists()
