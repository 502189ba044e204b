"""`penstock agent`."""

import stat
import subprocess
import sys

import pytest
from cli_cases import Penstock

from runner import __version__
from runner.cli import exits
from runner.platforms.server.agent import agent_zipapp


def test_build_writes_one_file_that_runs_by_itself(penstock: Penstock) -> None:
    said = penstock("agent", "build", "penstock-agent.pyz")
    path = penstock.here / "penstock-agent.pyz"
    assert said.status == exits.FINE
    assert said.out.startswith("penstock-agent.pyz: ")
    assert path.read_bytes() == agent_zipapp()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    done = subprocess.run([sys.executable, "-I", "-S", str(path), "--version"], capture_output=True, text=True)
    assert done.stdout == f"penstock-agent {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--force",)])
def test_build_needs_the_name_of_one_file(penstock: Penstock, arguments: tuple[str, ...]) -> None:
    said = penstock("agent", "build", *arguments)
    assert said.status == exits.USERS_MISTAKE
    assert "name the file to write: penstock agent build penstock-agent.pyz" in said.err


def test_build_into_a_folder_that_is_not_there_is_a_mistake(penstock: Penstock) -> None:
    said = penstock("agent", "build", "no/such/agent.pyz")
    assert said.status == exits.USERS_MISTAKE
    assert "no/such/agent.pyz cannot be written: No such file or directory" in said.err


def test_the_other_verbs_are_the_agents_own(penstock: Penstock) -> None:
    said = penstock("agent", "run", "--config", "nowhere.json")
    assert said.status == exits.USERS_MISTAKE
    assert "there is no" in said.err and "enrol this host first" in said.err
    assert "--token TOKEN" in penstock("agent", "enrol", "--help").out
    unit = penstock("agent", "unit", "--config", "/etc/penstock/agent.json").out
    assert f"ExecStart={sys.executable} -m runner agent run --config /etc/penstock/agent.json" in unit
