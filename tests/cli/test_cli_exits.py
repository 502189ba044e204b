import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cases import Penstock

from runner.cli import exits, list_
from runner.errors import InvalidFiles, Mistake, UserError, WorldError


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `penstock list` raise."""

    def make(error: BaseException) -> None:
        def run(_arguments: Namespace) -> int:
            raise error

        monkeypatch.setattr(list_, "run", run)

    return make


def test_the_users_mistake_is_told_in_one_line(penstock: Penstock, raising: Callable[[BaseException], None]) -> None:
    raising(UserError("no such group"))
    assert penstock("list") == (exits.USERS_MISTAKE, "", "penstock: no such group\n")


def test_every_mistake_in_files_stands_on_a_line_of_its_own(
    penstock: Penstock, raising: Callable[[BaseException], None]
) -> None:
    mistakes = [
        Mistake(file="b.yaml", line=3, path="", message="bad"),
        Mistake(file="a", line=1, path="x", message="y"),
    ]
    raising(InvalidFiles(mistakes))
    assert penstock("list") == (exits.USERS_MISTAKE, "", "a:1 x: y\nb.yaml:3: bad\n")


def test_the_worlds_failure_has_a_status_of_its_own(
    penstock: Penstock, raising: Callable[[BaseException], None]
) -> None:
    raising(WorldError("the network is down"))
    assert penstock("list") == (exits.WORLDS_FAILURE, "", "penstock: the network is down\n")


def test_our_bug_is_short_and_its_traceback_is_kept_in_the_state_folder(
    penstock: Penstock, raising: Callable[[BaseException], None]
) -> None:
    raising(KeyError("web-1"))
    said = penstock("list")
    assert said.status == exits.OUR_BUG
    assert "Traceback" not in said.err
    (crash,) = penstock.state.glob("crash-*.log")
    assert str(crash) in said.err
    assert "KeyError: 'web-1'" in crash.read_text()
    assert crash.stat().st_mode & 0o077 == 0


def test_our_bug_shows_its_traceback_to_whoever_wants_to_know_more(
    penstock: Penstock, raising: Callable[[BaseException], None]
) -> None:
    raising(KeyError("web-1"))
    said = penstock("--verbose", "list")
    assert said.status == exits.OUR_BUG
    assert "Traceback" in said.err
    assert not list(penstock.state.glob("crash-*.log"))


def test_a_bug_is_still_told_when_the_state_folder_cannot_be_written(
    penstock: Penstock, raising: Callable[[BaseException], None]
) -> None:
    raising(KeyError("web-1"))
    said = penstock("--state", "/dev/null/state", "list")
    assert said.status == exits.OUR_BUG
    assert "--verbose" in said.err


def test_ctrl_c_has_a_status_of_its_own(penstock: Penstock, raising: Callable[[BaseException], None]) -> None:
    raising(KeyboardInterrupt())
    assert penstock("list").status == exits.INTERRUPTED


def test_a_state_folder_that_cannot_be_written_is_the_worlds_failure(penstock: Penstock) -> None:
    said = penstock("--state", "/dev/null/state", "status")
    assert said.status == exits.WORLDS_FAILURE
    assert "/dev/null/state" in said.err


def test_a_missing_configuration_is_the_users_mistake(penstock: Penstock) -> None:
    said = penstock("--config", "elsewhere.toml", "status")
    assert said.status == exits.USERS_MISTAKE
    assert "elsewhere.toml" in said.err


@pytest.mark.parametrize("verb", ["show", "logs", "stop", "continue", "rollback", "redeploy"])
def test_an_unknown_deployment_is_the_users_mistake(verb: str, penstock: Penstock) -> None:
    said = penstock(verb, "d-NOWHERE00")
    assert said.status == exits.USERS_MISTAKE
    assert "d-NOWHERE00" in said.err


def test_a_reader_who_leaves_is_no_error(penstock: Penstock, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "runner", "list"], stdout=gone, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (exits.FINE, "")
