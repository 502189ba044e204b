"""Hosts over SSH, by a real OpenSSH server: whole deployments, broken connections, what a login shell says."""

import asyncio
import datetime as dt
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from host_cases import appspec, commands, job, tgz
from sshd import PYTHON, Sshd, sshd
from waiting import until

from runner.errors import WorldError
from runner.model.command import Outcome
from runner.model.target import Host
from runner.platforms.server.connection import Broken
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.ssh.archive import archive
from runner.platforms.server.ssh.login import Login
from runner.platforms.server.ssh.start import session_command
from runner.platforms.server.ssh.stream import Stream
from runner.platforms.server.ssh.transport import SshTransport


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
async def platform() -> AsyncIterator[ServerPlatform]:
    made = ServerPlatform()
    yield made
    await made.close()


async def deploy(platform: ServerPlatform, host: Host, folder: Path, script: str = "", name: str = "d-1") -> str:
    """Deploy a bundle whose one script is *script*; returns what it printed."""
    bundle = tgz(folder / f"{name}.tgz", {"s.sh": f"#!/bin/sh\n{script}\n", "app/x": "1"})
    made = job(bundle, appspec({"app": "/srv"}, {"ValidateService": ["s.sh"]}), name, file_exists_behavior="OVERWRITE")
    printed: list[str] = []
    for command in commands(made, host):
        outcome = await platform.run(command, printed.append)
        assert outcome.succeeded, outcome
    return "".join(printed)


def executors(server: Sshd) -> list[str]:
    return sorted(path.name for path in (server.root / "var/lib/penstock/executor").iterdir())


async def test_a_whole_deployment_takes_one_connection(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    assert "[stdout]I am d-1" in await deploy(platform, server.host(), tmp_path, "echo I am $DEPLOYMENT_ID")
    assert (server.root / "srv/x").read_text() == "1"
    assert server.connections == 1


async def test_the_executor_is_sent_once_for_a_version(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    await deploy(platform, server.host(), tmp_path)
    placed = server.root / "var/lib/penstock/executor" / archive().name
    before = placed.stat()
    assert before.st_mode & 0o077 == 0
    await deploy(platform, server.host(), tmp_path, name="d-2")
    assert placed.stat().st_ino == before.st_ino
    assert executors(server) == [archive().name]
    assert server.connections == 2


async def test_older_executors_are_removed_but_for_one(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    place = server.root / "var/lib/penstock/executor"
    for number, name in enumerate(["oldest", "older", "old"]):
        (place / name).mkdir(parents=True)
        os.utime(place / name, (number, number))
    await deploy(platform, server.host(), tmp_path)
    assert executors(server) == sorted([archive().name, "old"])


async def test_a_damaged_executor_is_sent_again(server: Sshd, platform: ServerPlatform, tmp_path: Path) -> None:
    place = server.root / "var/lib/penstock/executor" / archive().name
    place.mkdir(parents=True)
    (place / "start.py").write_text("half a fi(")
    await deploy(platform, server.host(), tmp_path)


def interpreters() -> list[str]:
    """Every Python from 3.8 on that this machine has in its PATH, and works."""
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 16)]
    return [each for each in found if each and subprocess.run([each, "-c", ""], capture_output=True).returncode == 0]


async def test_another_python_on_the_host_takes_over_what_the_one_before_has_left(server: Sshd) -> None:
    for python in [*interpreters(), PYTHON]:
        await (await SshTransport().connect(server.host(python=python))).close()
    assert executors(server) == [archive().name]


async def test_ten_first_connections_at_once_all_find_an_executor(server: Sshd) -> None:
    transport = SshTransport()
    connections = await asyncio.gather(*(transport.connect(server.host()) for _ in range(10)))
    for connection in connections:
        await connection.close()
    assert executors(server) == [archive().name]


async def test_the_steady_state_is_one_command_on_a_fresh_connection(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    with sshd(
        tmp_path / "sshd", [f'ForceCommand echo "$SSH_ORIGINAL_COMMAND" >>{asked}; eval "$SSH_ORIGINAL_COMMAND"']
    ) as server:
        for _ in range(2):
            await (await SshTransport().connect(server.host())).close()
        first, second, third, fourth = asked.read_text().splitlines()
    assert first == third == fourth == session_command(server.host())
    assert second.startswith(f"exec {PYTHON} -I -S -c ")


@pytest.mark.parametrize("noise", ["echo Welcome", "printf 'no end of line'", "echo '{\"id\": 1}'; echo oops >&2"])
async def test_what_a_login_shell_prints_first_does_no_harm(
    noise: str, tmp_path: Path, platform: ServerPlatform
) -> None:
    with sshd(tmp_path / "sshd", [f'ForceCommand {noise}; eval "$SSH_ORIGINAL_COMMAND"']) as server:
        assert "[stdout]hello" in await deploy(platform, server.host(), tmp_path, "echo hello")


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish"])
async def test_any_login_shell_starts_the_executor_in_a_folder_with_an_awkward_name(
    shell: str, tmp_path: Path, platform: ServerPlatform
) -> None:
    with sshd(tmp_path / "sshd", [f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"']) as server:
        folder = tmp_path / "a $b 'c' \"d\" (e) [f]*"
        await deploy(platform, server.host(folder=folder), tmp_path)
        assert (folder / "srv/x").exists()


async def test_nothing_of_the_control_sides_environment_reaches_a_script(
    server: Sshd, platform: ServerPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_OF_OURS", "LC_SECRET", "LANGUAGE", "PENSTOCK_STATE"):
        monkeypatch.setenv(name, "hunter2")
    printed = await deploy(platform, server.host(), tmp_path, "env; tr '\\0' '\\n' </proc/$PPID/environ")
    assert "[stdout]DEPLOYMENT_ID=d-1" in printed
    assert "hunter2" not in printed
    assert "SSH_AUTH_SOCK" not in printed


async def running(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> tuple["asyncio.Task[Outcome]", Path, list[str]]:
    """An event that is carried out until the file is removed that is returned with it, and what it has printed."""
    runs = tmp_path / "runs"
    bundle = tgz(
        tmp_path / "b.tgz",
        {"s.sh": f"#!/bin/sh\necho x >>{runs}; echo begun; while [ -e {runs} ]; do sleep 0.01; done\necho done\n"},
    )
    made = job(bundle, appspec({}, {"BeforeInstall": ["s.sh"]}))
    printed: list[str] = []
    _, download, before, *_ = commands(made, server.host(keepalive=dt.timedelta(seconds=2)))
    assert (await platform.run(download, printed.append)).succeeded
    task = asyncio.create_task(platform.run(before, printed.append))
    await until(lambda: "begun" in "".join(printed))
    assert runs.read_text() == "x\n"
    return task, runs, printed


async def taken_up(server: Sshd, task: "asyncio.Task[Outcome]", runs: Path, printed: list[str]) -> None:
    """Connected again, the event goes on to its end, runs once, and tells everything once."""
    await until(lambda: server.connections == 2)
    runs.unlink()
    assert (await task).succeeded
    assert not runs.exists()
    assert "".join(printed).count("begun") == "".join(printed).count("done") == 1


async def test_a_connection_that_is_killed_in_the_middle_of_an_event_is_taken_up_again(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    task, runs, printed = await running(server, platform, tmp_path)
    server.kill_connections()
    await taken_up(server, task, runs, printed)


async def test_a_connection_that_falls_silent_is_given_up_and_taken_up_again(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    task, runs, printed = await running(server, platform, tmp_path)
    server.stop_connections()
    await taken_up(server, task, runs, printed)


async def test_an_idle_connection_that_broke_costs_nothing_but_another(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    first, second, *_ = commands(job(tgz(tmp_path / "b.tgz", {}), appspec()), server.host())
    assert (await platform.run(first, lambda text: None)).succeeded
    server.kill_connections()
    assert (await platform.run(second, lambda text: None)).succeeded


async def echo(host: Host, command: str) -> tuple[Login, Stream]:
    login = Login(host)
    await login.open()
    channel = await login.link.call(login.link.session.open_session)
    await login.link.call(channel.execute, command)
    return login, Stream(login.link, channel, 15)


@pytest.mark.parametrize("options", [[], ["RekeyLimit 1M"]], ids=["plain", "keys changed on the way"])
async def test_much_can_be_sent_while_as_much_comes_back(options: list[str], tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 24
    with sshd(tmp_path / "sshd", options) as server:
        login, stream = await echo(server.host(), "cat")
        received = bytearray()

        async def receive() -> None:
            while piece := await stream.receive_some():
                received.extend(piece)

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(receive())
            await stream.send(content)
            await stream.send_eof()
        assert bytes(received) == content
        assert await stream.exit_status() == 0
        stream.close()
        await login.close()


async def test_sending_waits_for_a_slow_host_and_takes_in_what_it_says(server: Sshd) -> None:
    login, stream = await echo(server.host(), "echo first; read line; echo second; cat >/dev/null")
    sending = asyncio.create_task(stream.send(b"\n" + bytes(16 << 20)))
    assert await stream.receive_until(b"first\n", 100) == b"first\n"
    assert await stream.receive_until(b"second\n", 100) == b"second\n"
    await sending
    stream.hang_up()
    await login.close()


async def test_no_answer_is_overlooked_however_it_falls_together_with_other_output(server: Sshd) -> None:
    """Packets that libssh2 has read already make no descriptor ready: whoever overlooks one waits for ever."""
    login, stream = await echo(server.host(), "while read line; do echo $line >&2; echo $line; echo $line >&2; done")
    for number in range(3000):
        line = b"%d\n" % number
        await stream.send(line)
        async with asyncio.timeout(10):
            assert await stream.receive_until(b"\n", 100) == line
    await stream.send_eof()
    async with asyncio.timeout(10):
        assert await stream.exit_status() == 0
    assert stream.stderr.endswith("2999\n2999")
    stream.hang_up()
    await login.close()


async def test_reading_goes_on_after_a_pause(server: Sshd) -> None:
    login, stream = await echo(server.host(), "head -c 40000000 /dev/zero; echo; echo last")
    await until(lambda: not stream.is_reading)
    received = 0
    while received < 40_000_006:
        async with asyncio.timeout(10):
            received += len(await stream.receive_some())
    assert await stream.exit_status() == 0
    stream.hang_up()
    await login.close()


async def test_what_never_ends_its_line_is_refused(server: Sshd) -> None:
    login, stream = await echo(server.host(), "tr '\\0' x </dev/zero")
    with pytest.raises(Broken, match="a line without end"):
        await stream.receive_until(b"\n", 1 << 20)
    stream.hang_up()
    await login.close()


async def test_no_descriptor_and_no_thread_is_left_behind(server: Sshd, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    transport = SshTransport()
    await (await transport.connect(server.host())).close()
    before = open_files()
    for _ in range(5):
        connection = await transport.connect(server.host())
        await connection.close()
        await connection.close()
        with pytest.raises(WorldError):
            await transport.connect(server.host(user="nobody-there"))
        with pytest.raises(WorldError):
            await transport.connect(server.host(python="/no/python"))
    assert open_files() <= before


async def test_thirty_hosts_at_once(server: Sshd, tmp_path: Path) -> None:
    transport = SshTransport()
    hosts = [
        server.host(f"web-{number}", connect_timeout=dt.timedelta(minutes=2), command_timeout=dt.timedelta(minutes=2))
        for number in range(30)
    ]
    connections = await asyncio.gather(*map(transport.connect, hosts))
    assert server.connections == len(hosts)
    for connection in connections:
        await connection.close()


async def test_a_script_that_is_silent_for_longer_than_the_keepalive_is_waited_for(
    server: Sshd, platform: ServerPlatform, tmp_path: Path
) -> None:
    """The server's answer to a keepalive stays in libssh2's queue, which is no reason to read no further."""
    host = server.host(keepalive=dt.timedelta(seconds=2))
    assert "[stdout]done" in await deploy(platform, host, tmp_path, "sleep 3; echo done")
    assert server.connections == 1
