"""`penstock serve` and where it listens: what is said at the start."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from listening import make_certificate
from local_git import commit, git, new_repository

from runner.plan.lifecycle import server_in_place
from runner.store.store import Store


def serve(folder: Path, config: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`penstock serve` of a configuration with which it must not run."""
    (folder / "penstock.toml").write_text(config)
    command = [sys.executable, "-m", "runner", "--state", str(folder / "state"), "serve", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ('listen = "0.0.0.0:0"', [], "open to other machines"),
        ("", ["--listen", "0.0.0.0:0"], "open to other machines"),
        ("", ["--listen", "127.0.0.1:0", "--tls-certificate", "c.pem"], "--tls-private-key go together"),
        ("", ["--listen", "127.0.0.1:0", "--tls-certificate", "c.pem", "--tls-private-key", "k.pem"], "cannot be read"),
        ('listen = "127.0.0.1:0"\n[tls]\ncertificate = "c.pem"', [], "private_key"),
    ],
)
def test_what_must_not_be_served_is_refused_with_what_to_do(
    tmp_path: Path, config: str, options: list[str], said: str
) -> None:
    done = serve(tmp_path, config, *options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_paths_of_the_configuration_start_at_its_folder(tmp_path: Path) -> None:
    make_certificate(tmp_path / "tls", days=(-3, -2))
    config = 'listen = "0.0.0.0:0"\n[tls]\ncertificate = "tls/certificate.pem"\nprivate_key = "tls/key.pem"'
    done = serve(tmp_path, config)
    assert f"{tmp_path}/tls/certificate.pem expired" in done.stderr


def test_an_address_that_is_refused_is_said_before_anything_is_watched(tmp_path: Path) -> None:
    new_repository(tmp_path / "shop")
    (tmp_path / "shop" / "penstock.yaml").write_text("no manifest\n")
    git(tmp_path / "shop", "add", "--all")
    commit(tmp_path / "shop", "first")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        watched = f'[repositories.shop]\nurl = "{tmp_path / "shop"}"\nwatch = "files"\n'
        done = serve(tmp_path, watched, "--listen", address)
    assert done.returncode != 0
    assert f"cannot listen on {address}" in done.stderr
    store = Store(tmp_path / "state", server_in_place())
    assert store.changes() == []
    store.close()
