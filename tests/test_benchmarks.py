"""The benchmarks still work. How fast anything is, is no test's business."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# As `python -m benchmarks` does, but with the checkout last on the path: the program that is installed is measured.
RUN = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"


def benchmarks(*arguments: str, module: str = "benchmarks") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-W", "error", "-c", RUN, str(ROOT), module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("commit_to_event", ["spawn of the script", "script running: after event intended"]),
        ("rollout_100", ["the scripts alone", "scripts and files", "penstock serve"]),
        ("validate", ["python -c pass", "penstock --help", "penstock validate, in a git checkout"]),
        ("decide", ["20 hosts, 20 results a transaction"]),
        ("agents", ["floor: asyncio, fixed bytes", "penstock's listener and desk"]),
        ("state", ["penstock deploy, state in S3", "penstock status, state in PostgreSQL"]),
        ("agent_events", ["seven empty events: one shell", "seven events, five hooks: penstock"]),
        ("monorepo", ["a runner that has rendered the others before", "a runner that has just started"]),
        pytest.param("watch", ["penstock serve, 200 repositories, each 2 s"], marks=pytest.mark.large),
    ],
)
def test_a_benchmark_of_a_tiny_size_prints_its_cases_in_a_table(name: str, cases: list[str]) -> None:
    done = benchmarks(name, "--small", "--runs", "1")
    assert done.returncode == 0, done.stderr
    machine, _, table = done.stdout.partition(f"### {name}")
    assert "cores" in machine
    assert "penstock" in machine
    first_cells = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert first_cells[0] == "case"
    assert set(cases) <= set(first_cells[2:])


def test_webhooks_that_are_acknowledged_are_all_stored() -> None:
    done = benchmarks("webhooks", "--small", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    assert rows[0][-2:] == ["failed", "lost"]
    assert rows[2][0] == "penstock serve, durable"
    assert rows[2][-2:] == ["0", "0"]


def test_an_unknown_benchmark_is_refused_and_the_known_ones_are_named() -> None:
    done = benchmarks("warp_speed")
    assert done.returncode == 2
    assert "there is no benchmark warp_speed" in done.stderr
    assert "rollout_100" in done.stderr


def test_the_fleet_is_deployed_to_by_the_floor_and_by_the_work_alone() -> None:
    done = benchmarks("--hosts", "3", "--rounds", "1", "--peers", "local,floor", module="benchmarks.fleet")
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.split("|")[1:4]] for line in done.stdout.splitlines() if line.startswith("|")
    ]
    assert rows[0] == ["hosts", "batches", "case"]
    cases = ["the work alone, without SSH", "floor: libssh2"]
    assert rows[2:] == [["3", batches, case] for batches in ("all", "half") for case in cases]


def test_the_fleet_knows_who_takes_part() -> None:
    done = benchmarks("--peers", "floor,capistrano", module="benchmarks.fleet")
    assert done.returncode == 2
    assert "there is no capistrano; there are local, floor, penstock" in done.stderr
