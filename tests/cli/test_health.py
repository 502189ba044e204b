"""`penstock health`: a process that drives, one that listens, one that has gone."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_cases import Penstock
from listening import make_certificate
from serving import Server

from runner.cli import exits
from runner.store import lock
from runner.store.lock import driver_lock, holder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "penstock.toml").write_text("")
    made = Server(tmp_path / "penstock.toml", tmp_path / "state", {})
    yield made
    made.kill()


@pytest.fixture
def failing() -> Iterator[str]:
    """The URL of a listener that says that it is failing."""

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"status": "failing", "message": "the disk is gone"}')

        def log_message(self, *_: object) -> None:
            """Quietly."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    serving = threading.Thread(target=listening.serve_forever, args=(0.01,))
    serving.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    serving.join()
    listening.server_close()


def test_nobody_who_drives_is_no_health(penstock: Penstock) -> None:
    said = penstock("health")
    assert said.status == exits.WORLDS_FAILURE
    assert f"no process drives the state folder {penstock.state}" in said.err
    assert not penstock.state.exists(), "a look makes nothing"


def test_a_server_that_answers_is_well_until_it_is_killed(server: Server, penstock: Penstock, tmp_path: Path) -> None:
    server.start()
    said = penstock("--output", "json", "health")
    assert said.status == exits.FINE
    assert said.json["url"] == server.url
    assert said.json["process"] == f"process {server.pid}"
    assert said.json["active_deployments"] == []
    server.kill()
    assert (tmp_path / "state" / "driver.lock").read_text(), "what the killed process has written is still there"
    assert penstock("health").status == exits.WORLDS_FAILURE


def test_a_server_behind_tls_on_all_addresses_is_asked_on_this_machine(tmp_path: Path, penstock: Penstock) -> None:
    tls = make_certificate(tmp_path)
    config = tmp_path / "penstock.toml"
    files = f'certificate = "{tls.certificate}"\nprivate_key = "{tls.private_key}"\n'
    config.write_text(f'listen = "0.0.0.0:0"\n[tls]\n{files}')
    command = [sys.executable, "-m", "runner", "--config", str(config), "--state", str(penstock.state), "serve"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "listening on" in line:
                break
        said = penstock("--output", "json", "health")
        process.terminate()
        process.stderr.read()
    assert (said.status, said.json["status"]) == (exits.FINE, "ok"), said.err
    assert said.json["url"].startswith("https://0.0.0.0:")


def test_a_listener_that_says_that_it_fails_is_believed(failing: str, penstock: Penstock) -> None:
    penstock.state.mkdir()
    with driver_lock(penstock.state) as held:
        held.tell(failing)
        said = penstock("health")
    assert said.status == exits.WORLDS_FAILURE
    assert "503" in said.err
    assert "the disk is gone" in said.err


def test_a_listener_that_does_not_answer_is_no_health(penstock: Penstock) -> None:
    penstock.state.mkdir()
    with driver_lock(penstock.state) as held:
        held.tell("http://127.0.0.1:1")
        assert "does not answer" in penstock("health").err
        held.tell(None)
        assert penstock("health").status == exits.FINE, "who does not listen, like `penstock sync`, is well"


def test_the_machine_is_named_only_when_it_is_another_one(penstock: Penstock) -> None:
    penstock.state.mkdir()
    with driver_lock(penstock.state):
        (penstock.state / "driver.lock").write_text("1 penstock-29131-x7k2p\n")
        found = holder(penstock.state)
        assert found and found.name == "process 1 on penstock-29131-x7k2p"
        assert "process 1 on penstock-29131-x7k2p already drives" in penstock("serve").err


def test_a_look_does_not_keep_a_server_from_starting(penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    penstock.state.mkdir()
    (penstock.state / "driver.lock").touch()
    with (penstock.state / "driver.lock").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        monkeypatch.setattr(lock.time, "sleep", lambda _: fcntl.flock(looked_at, fcntl.LOCK_UN))  # the look is over
        with driver_lock(penstock.state):
            pass
