"""`enrol`, `check` and `unit`, as somebody on a host uses them; the file that they leave; TLS."""

import json
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_cases import AgentHost, ended
from agent_server import AgentServer, agent_server, public_key, token_for
from certificates import authority_and_server
from host_cases import EVENTS

from runner.host.agent.errors import Mistake
from runner.host.agent.settings import Settings, check_server
from runner.host.agent.unit import unit


def run(host: AgentHost, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*host.command, *arguments], input=given, capture_output=True, text=True, timeout=60)


def enrol(host: AgentHost, *more: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
    token = token or token_for(host.server, "web-1")
    where = ("--config", str(host.config), "--host-state", str(host.state))
    return run(host, "enrol", "--server", host.server.url, "--token", token, *where, *more)


async def test_a_host_enrols_by_a_token_and_works_from_then_on(host: AgentHost) -> None:
    host.config.unlink()
    done = enrol(host)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"This machine is host web-1 of {host.server.url}; see {host.config}.\n"
    assert stat.S_IMODE(host.config.stat().st_mode) == 0o600
    written = json.loads(host.config.read_text())
    assert written == {
        "server": host.server.url,
        "host": "web-1",
        "access_key_id": "PKENROLLED",
        "secret_access_key": "secret of an enrolment",
        "region": "eu-west-7",
        "signing_key": public_key(),
        "ca_file": "",
        "state": str(host.state),
        "plain_http": False,
    }
    host.start()
    assert await ended(host.deploy({}, events=EVENTS[:3])) == ["Succeeded"] * 3


def test_a_token_may_come_on_standard_input_where_no_list_of_processes_shows_it(host: AgentHost) -> None:
    token = token_for(host.server, "web-1")
    done = run(
        host, "enrol", "--server", host.server.url, "--token", "-", "--config", str(host.config), given=token + "\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_used_token_is_refused_and_the_file_stays_as_it_was(host: AgentHost) -> None:
    before = host.config.read_text()
    token = token_for(host.server, "web-1")
    host.server.tokens.clear()
    done = enrol(host, token=token)
    assert done.returncode == 3
    assert done.stderr == "penstock-agent: InvalidTokenException: the token is unknown, used or too old\n"
    assert host.config.read_text() == before


def test_a_server_with_another_signing_key_than_the_tokens_is_not_believed(host: AgentHost) -> None:
    host.config.unlink()
    token = token_for(host.server, "web-1").partition(".")[0] + "." + "0" * 32
    done = enrol(host, token=token)
    assert done.returncode == 2
    assert "is not the one that the token names: this is another server, or somebody stands between" in done.stderr
    assert not host.config.exists()


@pytest.mark.parametrize("token", ["abc", "abc.def", ".0123456789abcdef0123456789abcdef", "x." + "g" * 32])
def test_half_a_token_is_refused_before_anybody_is_asked(host: AgentHost, token: str) -> None:
    done = enrol(host, token=token)
    assert (done.returncode, done.stderr) == (
        2,
        "penstock-agent: that is not a whole token; `penstock keys enrol HOST` prints one\n",
    )


def test_a_token_is_not_used_up_for_a_file_that_cannot_be_written(host: AgentHost) -> None:
    host.config = Path("/proc/nowhere/agent.json")
    done = enrol(host)
    assert done.returncode == 2
    assert "used up" in done.stderr or "cannot be written" in done.stderr


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080", "http://penstock.example.com"])
def test_no_plain_http_to_another_machine_unless_somebody_says_so(url: str) -> None:
    with pytest.raises(Mistake, match="has no TLS"):
        check_server(url, plain_http=False)
    check_server(url, plain_http=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost", "http://[::1]:8", "https://10.0.0.1:8443/"])
def test_loopback_needs_no_tls(url: str) -> None:
    check_server(url, plain_http=False)


@pytest.mark.parametrize(
    "url", ["", "penstock:8443", "ftp://x", "https://", "https://x:99999", "https://x/path", "https://u:p@x"]
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(Mistake, match="is not the URL of a server"):
        check_server(url, plain_http=True)


@pytest.mark.parametrize(
    "name", ["http://127.evil.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example"]
)
def test_names_that_only_look_like_loopback_are_not(name: str) -> None:
    with pytest.raises(Mistake, match="has no TLS"):
        check_server(name, plain_http=False)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"server": 5}', '{"signing_key": {"n": "1", "e": 3}}'])
def test_a_damaged_file_is_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "agent.json").write_text(content)
    with pytest.raises(Mistake, match=r"JSON|enrol this host again"):
        Settings.read(str(tmp_path / "agent.json"))


def test_members_of_a_wrong_kind_are_explained(host: AgentHost) -> None:
    host.configure(secret_access_key=5)
    done = run(host, "run", "--config", str(host.config))
    assert done.returncode == 2
    assert "secret_access_key is not what it should be; enrol this host again" in done.stderr


def test_without_a_file_it_says_what_to_do(host: AgentHost) -> None:
    done = run(host, "run", "--config", "/nowhere/agent.json")
    assert (done.returncode, done.stderr) == (
        2,
        "penstock-agent: there is no /nowhere/agent.json: enrol this host first, with `enrol`\n",
    )


def test_a_check_of_a_sound_host_is_fine_and_takes_no_command(host: AgentHost) -> None:
    host.deploy({}, events=EVENTS[:1])
    done = run(host, "check", "--config", str(host.config))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok   ") for line in lines)
    assert lines[1] == f"ok   host web-1 with the key PKAGENT, from {host.config}"
    assert lines[4] == "ok   this host's clock is with the server's"
    assert lines[5] == "ok   the server knows the key"
    assert host.server.count("PollHostCommand") == 0


def test_a_check_tells_what_is_wrong(host: AgentHost) -> None:
    host.configure(access_key_id="PKOTHER")
    done = run(host, "check", "--config", str(host.config))
    assert done.returncode == 1
    assert "FAIL the server refuses the key: UnrecognizedClientException: the key is not known" in done.stdout
    host.server.stop()
    done = run(host, "check", "--config", str(host.config))
    assert done.returncode == 1
    assert f"FAIL {host.server.url} cannot be reached: Connection refused" in done.stdout


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[AgentHost, Path]]:
    """A host of a server with a certificate of an authority that only the file knows."""
    ca_file, context = authority_and_server(tmp_path)
    with agent_server(tls=context) as server:
        host = AgentHost(tmp_path, server)
        yield host, ca_file
        host.stop()


async def test_everything_goes_over_tls_with_an_authority_of_ones_own(private: tuple[AgentHost, Path]) -> None:
    host, ca_file = private
    done = enrol(host, "--ca-file", str(ca_file))
    assert done.returncode == 0, done.stderr
    assert json.loads(host.config.read_text())["ca_file"] == str(ca_file)
    host.start()
    assert await ended(host.deploy({"app/x": "x" * 100_000}, {}, {"app": "/srv"})) == ["Succeeded"] * 7
    assert run(host, "check", "--config", str(host.config)).returncode == 0
    assert host.stop() == 0


def test_a_certificate_of_a_stranger_is_refused_with_the_remedy(private: tuple[AgentHost, Path]) -> None:
    host, _ = private
    done = enrol(host)
    assert done.returncode == 3
    assert "its certificate is not trusted" in done.stderr
    assert "name its authority with --ca-file" in done.stderr
    assert host.server.tokens  # the token was not even sent


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    ca_file, context = authority_and_server(tmp_path, "10.1.2.3")
    with agent_server(tls=context) as server:
        host = AgentHost(tmp_path, server)
        done = enrol(host, "--ca-file", str(ca_file))
    assert done.returncode == 3
    assert "its certificate is not trusted" in done.stderr
    assert "127.0.0.1" in done.stderr


def test_a_file_that_holds_no_certificates_is_a_mistake(private: tuple[AgentHost, Path]) -> None:
    host, _ = private
    done = enrol(host, "--ca-file", str(host.config))
    assert done.returncode == 2
    assert f"{host.config} is not a file of certificates" in done.stderr


def test_the_unit_starts_the_agent_where_it_is(host: AgentHost) -> None:
    done = run(host, "unit", "--config", str(host.config))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert f"ExecStart={' '.join(host.command)} run --config {host.config}" in lines
    for line in ("Type=notify", "WatchdogSec=180", "Restart=always", "KillMode=process", "After=network-online.target"):
        assert line in lines


def test_systemd_finds_nothing_wrong_with_the_unit(host: AgentHost) -> None:
    verify = shutil.which("systemd-analyze")
    assert verify, "systemd-analyze is missing: see scripts/debian-packages"
    path = host.folder / "penstock-agent.service"
    path.write_text(run(host, "unit").stdout)
    done = subprocess.run([verify, "verify", "--recursive-errors=no", str(path)], capture_output=True, text=True)
    assert "penstock-agent" not in done.stdout + done.stderr


def test_awkward_paths_are_quoted_as_systemd_wants_it() -> None:
    line = next(line for line in unit(["/a b/$x/%h", 'say "x"', "plain"]).splitlines() if line.startswith("ExecStart"))
    assert line == 'ExecStart="/a b/$$x/%%h" "say \\"x\\"" plain'


async def test_a_newer_zipapp_may_take_the_place_of_the_one_that_runs(host: AgentHost, server: AgentServer) -> None:
    host.start()
    assert await ended(host.deploy({}, events=EVENTS[:1])) == ["Succeeded"]
    host.zipapp.write_bytes(b"nothing of use")
    events = host.deploy({"app/x": "1", "s.sh": "exit 0"}, {"AfterInstall": ["s.sh"]}, {"app": "/srv"}, "d-2")
    assert await ended(events) == ["Succeeded"] * 7
    assert host.stop() == 0
