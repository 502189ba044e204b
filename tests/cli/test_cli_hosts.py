"""`penstock hosts`: what there is, and getting to know the SSH keys of hosts, by real servers."""

import datetime as dt
import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cases import Penstock
from sshd import Sshd, new_key, sshd

from runner.cli import exits
from runner.model.host_command import AgentContact
from runner.platforms.server.ssh.known_hosts import fingerprint


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "home"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def configure(penstock: Penstock, server: Sshd, more: str = "") -> None:
    (penstock.here / "penstock.toml").write_text(
        f'[hosts.web-1]\ntransport = "ssh"\naddress = "127.0.0.1"\nport = {server.port}\n{more}\n'
        'tags = {app = "shop", stage = "production"}\n[hosts.here]\nfolder = "/srv/here"\n'
    )


def known(home: Path) -> str:
    file = home / ".ssh/known_hosts"
    return file.read_text() if file.exists() else ""


def test_hosts_are_listed(penstock: Penstock, server: Sshd) -> None:
    configure(penstock, server, 'user = "ada"')
    assert penstock("hosts").out.splitlines() == [
        "NAME   TRANSPORT  ADDRESS" + " " * (len(f"ada@127.0.0.1:{server.port}") - 7) + "  TAGS",
        f"web-1  ssh        ada@127.0.0.1:{server.port}  app=shop stage=production",
        "here   local      /srv/here",
    ]
    assert penstock("hosts", "list", "here").out.splitlines()[1:] == ["here  local      /srv/here"]
    listed = penstock("hosts", "--output", "json").json
    assert [host["name"] for host in listed] == ["web-1", "here"]
    assert listed[0]["ssh"]["address"] == "127.0.0.1"


def test_hosts_with_an_agent_are_listed_with_their_last_contact(penstock: Penstock) -> None:
    from runner.wiring import open_runner

    file = penstock.here / "penstock.toml"
    file.write_text('[hosts.quiet]\ntransport = "agent"\n[hosts.web-1]\ntransport = "agent"\ntags = {app = "shop"}\n')
    runner = open_runner(config=file, state=penstock.state)
    at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2, minutes=5, seconds=10)
    runner.store.host_commands.save([], [AgentContact(host="web-1", at=at, version="penstock/1", identifier="web-1")])
    runner.close()
    assert penstock("hosts").out.splitlines() == [
        "NAME   TRANSPORT  ADDRESS                TAGS",
        "quiet  agent      no contact yet",
        "web-1  agent      last contact 2h5m ago  app=shop",
    ]
    listed = {host["name"]: host for host in penstock("hosts", "--output", "json").json}
    assert "agent" not in listed["quiet"]
    assert listed["web-1"]["agent"]["version"] == "penstock/1"


def test_no_hosts_are_said(penstock: Penstock) -> None:
    assert penstock("hosts") == (exits.FINE, "no hosts are configured\n", "")


def test_a_key_is_shown_asked_for_and_added(
    penstock: Penstock, server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(penstock, server)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    said = penstock("hosts", "trust", "web-1")
    seen = f"[127.0.0.1]:{server.port} shows the key ssh-ed25519 {fingerprint(server.public_key)}\n"
    assert said.err == seen + f"Is that right? It is then added to {home}/.ssh/known_hosts [y/N] "
    assert said.status == exits.FINE
    assert known(home) == server.known_hosts.read_text()
    assert stat.S_IMODE((home / ".ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / ".ssh/known_hosts").stat().st_mode) == 0o600
    again = penstock("hosts", "trust", "web-1")
    assert "was known already" in again.out
    assert known(home) == server.known_hosts.read_text()


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_anything_but_yes_adds_nothing(
    answer: str, penstock: Penstock, server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(penstock, server)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    said = penstock("hosts", "trust", "web-1")
    assert said.status == exits.USERS_MISTAKE
    assert "was not accepted; nothing was added" in said.err
    assert known(home) == ""


def test_without_a_terminal_somebody_must_have_decided(
    penstock: Penstock, server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(penstock, server)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    said = penstock("hosts", "trust", "web-1")
    assert (said.status, known(home)) == (exits.USERS_MISTAKE, "")
    assert "pass it with --fingerprint, or pass --yes" in said.err
    assert penstock("hosts", "trust", "web-1", "--fingerprint", "SHA256:x").status == exits.USERS_MISTAKE
    assert known(home) == ""
    right = fingerprint(server.public_key)
    done = penstock("hosts", "trust", "web-1", "--fingerprint", right, "--output", "json")
    assert done.json == [
        {
            "name": f"[127.0.0.1]:{server.port}",
            "type": "ssh-ed25519",
            "fingerprint": right,
            "known": False,
            "file": f"{home}/.ssh/known_hosts",
        }
    ]
    assert known(home) == server.known_hosts.read_text()


def test_a_changed_key_is_never_replaced(penstock: Penstock, server: Sshd, home: Path, tmp_path: Path) -> None:
    configure(penstock, server)
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    (home / ".ssh").mkdir(parents=True)
    before = f"[127.0.0.1]:{server.port} {other}"
    (home / ".ssh/known_hosts").write_text(before)
    said = penstock("hosts", "trust", "web-1", "--yes")
    assert said.status == exits.WORLDS_FAILURE
    assert "HAS CHANGED" in said.err
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in said.err
    assert known(home) == before


def test_the_machines_on_the_way_are_made_known_as_well(
    penstock: Penstock, server: Sshd, home: Path, tmp_path: Path
) -> None:
    with sshd(tmp_path / "hop") as hop:
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh/known_hosts").write_text("# no line break")
        (home / ".ssh/id_ed25519").write_bytes(hop.user_key.read_bytes())
        configure(penstock, server, f'proxy_jump = "127.0.0.1:{hop.port}"')
        assert penstock("hosts", "trust", "web-1", "--yes").status == exits.FINE
        assert known(home) == "# no line break\n" + hop.known_hosts.read_text() + server.known_hosts.read_text()


def test_mistakes_are_the_users(penstock: Penstock, server: Sshd) -> None:
    configure(penstock, server)
    assert penstock("hosts", "trust").err == (
        "penstock: name the host to trust: penstock hosts trust NAME; `penstock hosts` lists them\n"
    )
    assert penstock("hosts", "trust", "wep-1").err == "penstock: no host wep-1 is configured; did you mean web-1?\n"
    assert "here is a local host" in penstock("hosts", "trust", "here").err


def test_a_host_that_is_down_is_the_worlds_failure(penstock: Penstock, tmp_path: Path, home: Path) -> None:
    with sshd(tmp_path / "sshd") as server:
        configure(penstock, server)
    said = penstock("hosts", "trust", "web-1", "--yes")
    assert said.status == exits.WORLDS_FAILURE
    assert "Connection refused" in said.err
