"""Where a host is and how it is logged in to: ~/.ssh/config, agents, machines in between."""

import datetime as dt
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import PYTHON, Sshd, new_key, sshd
from waiting import until

from runner.errors import WorldError
from runner.model.target import Host, Ssh
from runner.platforms.server.ssh import endpoint
from runner.platforms.server.ssh.endpoint import Endpoint, route
from runner.platforms.server.ssh.transport import SshTransport

CHAIN = "Host web-1\n  ProxyJump hop0\n" + "".join(f"Host hop{n}\n  ProxyJump hop{n + 1}\n" for n in range(9))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    (made / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return made


def over_ssh(**of_ssh: object) -> Host:
    return Host(name="web-1", transport="ssh", ssh=Ssh(**of_ssh))  # type: ignore[arg-type]


def configure(home: Path, text: str) -> None:
    (home / ".ssh/config").write_text(text)


async def connect(host: Host) -> None:
    await (await SshTransport().connect(host)).close()


def test_without_a_file_nothing_is_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (home / ".ssh/id_ed25519").touch()
    [found] = route(over_ssh(user="ada"))
    assert found == Endpoint("web-1", 22, "ada", (str(home / ".ssh/id_ed25519"),), False, "web-1")


def test_openssh_s_configuration_is_honoured(home: Path) -> None:
    (home / "deploy").touch()
    configure(
        home,
        "Host web-*\n  HostName 10.0.0.5\n  Port 2222\n  User deploy\n  IdentityFile ~/deploy\n  IdentityFile ~/gone\n",
    )
    [found] = route(over_ssh())
    assert found == Endpoint("10.0.0.5", 2222, "deploy", (str(home / "deploy"),), True, "10.0.0.5")


def test_the_runners_configuration_wins_over_openssh_s(home: Path) -> None:
    configure(home, "Host web-1\n  Port 2222\n  User deploy\n  ProxyJump bastion\n")
    [found] = route(over_ssh(port=23, user="ada", identity_files=("/k",), proxy_jump="none"))
    assert found == Endpoint("web-1", 23, "ada", ("/k",), True, "web-1")


def test_an_address_may_be_an_alias(home: Path) -> None:
    configure(home, "Host inner\n  HostName 10.0.0.9\n")
    assert route(over_ssh(address="inner"))[0].address == "10.0.0.9"


def test_openssh_is_asked_once_until_its_file_changes(home: Path) -> None:
    endpoint._ask_openssh.cache_clear()
    configure(home, "Host web-1\n  Port 2222\n")
    assert [route(over_ssh())[0].port for _ in range(3)] == [2222] * 3
    assert endpoint._ask_openssh.cache_info().misses == 1
    (home / ".ssh/new").write_text("Host web-1\n  Port 2223\n")
    (home / ".ssh/new").replace(home / ".ssh/config")
    assert route(over_ssh())[0].port == 2223


def test_hops_are_taken_in_their_order_each_with_its_own_settings(home: Path) -> None:
    configure(home, "Host first\n  HostName 10.1.1.1\n  ProxyJump zeroth\nHost second\n  User bob\n  ProxyJump never\n")
    hops = route(over_ssh(proxy_jump="first,carl@second:2200,ssh://[fe80::1]:23", user="ada"))
    assert [(hop.address, hop.port) for hop in hops] == [
        ("zeroth", 22),
        ("10.1.1.1", 22),
        ("second", 2200),
        ("fe80::1", 23),
        ("web-1", 22),
    ]
    assert hops[2].user == "carl"
    assert hops[4].user == "ada"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHAIN, "leads through more than 8 machines"),
        ("Host *\n  ProxyJump web-1\n", "~/.ssh/config cannot be used: jumphost loop via web-1"),
        ("Host *\n  ProxyCommand nc %h %p\n", "ProxyCommand for web-1, which is not followed here; give proxy_jump"),
        ("Hots *\n", "~/.ssh/config cannot be used: "),
    ],
)
def test_what_cannot_be_followed_is_said(home: Path, text: str, message: str) -> None:
    configure(home, text)
    with pytest.raises(WorldError) as caught:
        route(over_ssh())
    assert message in caught.value.message
    assert not caught.value.retryable


def test_a_configuration_that_nobody_can_read_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(home, "Host *\n  Port 22\n")
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(WorldError, match=r"there is a ~/\.ssh/config, but no program `ssh` to read it"):
        route(over_ssh())


async def test_a_host_is_reached_by_openssh_s_configuration_alone(home: Path, server: Sshd) -> None:
    configure(
        home,
        f"Host web-1\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n  IdentityFile {server.user_key}\n",
    )
    (home / ".ssh/known_hosts").write_text(server.known_hosts.read_text())
    await connect(Host(name="web-1", transport="ssh", folder=str(server.root), ssh=Ssh(python=PYTHON)))
    assert server.connections == 1


async def test_a_usual_key_is_found_by_itself(home: Path, server: Sshd) -> None:
    (home / ".ssh/id_ed25519").write_bytes(server.user_key.read_bytes())
    await connect(server.host(identity_files=()))


@pytest.fixture
def agent(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real agent without keys; its socket."""
    where = tmp_path / "a"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", where], stdout=subprocess.DEVNULL)
    while not where.exists():
        assert process.poll() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", str(where))
    yield where
    process.terminate()
    process.wait()


async def test_a_key_of_the_agent_lets_us_in(agent: Path, server: Sshd, tmp_path: Path) -> None:
    for number in range(3):  # keys that are refused come first
        subprocess.run(["ssh-add", "-q", new_key(tmp_path / f"other{number}")], check=True, stderr=subprocess.DEVNULL)
    locked = new_key(tmp_path / "locked", passphrase="x")
    server.admit(locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "x", "-N", "", "-f", locked], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ssh-add", "-q", locked], check=True, stderr=subprocess.DEVNULL)
    locked.unlink()
    await connect(server.host(identity_files=()))
    await connect(server.host(identity_files=(str(server.strange_key),)))


async def test_an_agent_that_cannot_help_is_told_of(agent: Path, server: Sshd) -> None:
    with pytest.raises(WorldError, match="the agent has no key that was accepted"):
        await connect(server.host(identity_files=()))
    os.environ["SSH_AUTH_SOCK"] += "-gone"
    with pytest.raises(WorldError, match=r"the agent at .*-gone does not answer"):
        await connect(server.host(identity_files=()))


async def test_an_agent_that_never_answers_is_given_up_in_time(
    home: Path, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "a"))
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "a"))
        with pytest.raises(WorldError, match="did not let us in within 1 s"):
            await connect(server.host(identity_files=(), connect_timeout=dt.timedelta(seconds=1)))
    await until(lambda: threading.active_count() <= before)


async def test_a_host_behind_two_others_is_reached_through_them(home: Path, server: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "first") as first, sshd(tmp_path / "second") as second:
        for hop in (first, second):
            hop.admit(server.user_key)
            with server.known_hosts.open("a") as known:
                known.write(hop.known_hosts.read_text())
        (home / ".ssh/id_ed25519").write_bytes(server.user_key.read_bytes())
        jump = f"127.0.0.1:{first.port},{second.user}@127.0.0.1:{second.port}"
        connection = await SshTransport().connect(server.host(proxy_jump=jump))
        await connection.send(b'{"id": 1, "run": {}}\n' * 1000)
        for _ in range(1000):
            assert b"did not understand" in await connection.receive_line()
        assert (first.connections, second.connections, server.connections) == (1, 1, 1)
        await connection.close()


async def test_the_key_of_every_hop_is_verified(home: Path, server: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "first") as first, pytest.raises(WorldError) as caught:
        await connect(server.host(proxy_jump=f"127.0.0.1:{first.port}"))
    assert f"the key of [127.0.0.1]:{first.port} is not known" in caught.value.message
    assert server.connections == 0


async def test_a_host_that_its_hop_cannot_reach_is_said(home: Path, server: Sshd) -> None:
    (home / ".ssh/id_ed25519").write_bytes(server.user_key.read_bytes())
    with pytest.raises(WorldError, match=r"could not connect to 127\.0\.0\.1 port 1: ") as caught:
        await connect(server.host(port=1, proxy_jump=f"127.0.0.1:{server.port}"))
    assert caught.value.retryable
