"""Reaching local hosts: many at once, hosts that cannot be, a control side that has gone."""

import asyncio
import datetime as dt
import subprocess
from pathlib import Path

from host_cases import Machine, appspec, commands, job
from waiting import until

from runner.errors import WorldError
from runner.model.target import Host
from runner.platforms.server.connection import Connection
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.transport import LocalTransport


async def test_a_hundred_hosts_at_once(machine: Machine) -> None:
    bundle = machine.bundle({"s.sh": "echo $DEPLOYMENT_ID", "app/x": "1"})
    made = job(bundle, appspec({"app": "/srv"}, {"ValidateService": ["s.sh"]}))

    async def deploy(number: int) -> bool:
        host = Host(name=f"web-{number}", folder=str(machine.folder / f"host{number}"))
        outcomes = [await machine.platform.run(command, lambda text: None) for command in commands(made, host)]
        return all(outcome.succeeded for outcome in outcomes)

    assert await asyncio.gather(*(deploy(number) for number in range(100))) == [True] * 100
    assert all((machine.folder / f"host{number}/srv/x").exists() for number in range(100))


async def test_a_folder_whose_parent_is_missing_is_a_failed_outcome(machine: Machine) -> None:
    nowhere = Host(name="web-9", folder=str(machine.folder / "no/such"))
    outcome = await machine.platform.run(commands(job(machine.bundle({}), appspec()), nowhere)[0], lambda text: None)
    assert outcome.diagnostics.error_code == "UnknownError"
    assert "web-9" in outcome.diagnostics.message
    assert f"{machine.folder / 'no'} does not exist" in outcome.diagnostics.message


async def test_a_file_in_the_place_of_the_folder_is_a_failed_outcome(machine: Machine) -> None:
    machine.root.write_text("")
    outcome = await machine.run(machine.command("ApplicationStop", {}))
    assert not outcome.succeeded
    assert "cannot be made: File exists" in outcome.diagnostics.message


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class NeverThere:
    """A transport of hosts that are all down."""

    def __init__(self) -> None:
        self.asked = 0

    async def connect(self, host: Host) -> Connection:
        self.asked += 1
        raise WorldError("no route to host")

    async def close(self) -> None:
        pass


async def test_a_host_out_of_reach_is_a_failed_outcome_once_patience_ends(machine: Machine) -> None:
    transport = NeverThere()
    platform = ServerPlatform(transport=transport, retry_for=dt.timedelta(seconds=0.5))
    outcome = await platform.run(machine.command("ApplicationStop", {}), lambda text: None)
    assert outcome.diagnostics.error_code == "UnknownError"
    assert "web-1 could not run ApplicationStop, after trying for 0 s: no route to host" in outcome.diagnostics.message
    assert transport.asked > 2


async def test_the_hub_ends_with_the_control_side_and_leaves_no_descriptor_open(machine: Machine) -> None:
    before = open_files()
    transport = LocalTransport()
    platform = machine.another_platform(transport)
    for command in commands(job(machine.bundle({}), appspec()), machine.host):
        assert (await platform.run(command, lambda text: None)).succeeded
    pid = transport.hub_pid
    assert pid is not None
    await platform.close()
    assert not Path(f"/proc/{pid}").exists()
    await until(lambda: open_files() <= before)


async def test_an_interpreter_that_cannot_start_is_said(machine: Machine) -> None:
    platform = ServerPlatform(transport=LocalTransport(python="/no/python"), retry_for=dt.timedelta(0))
    outcome = await platform.run(machine.command("ApplicationStop", {}), lambda text: None)
    assert "executor of local hosts cannot be started" in outcome.diagnostics.message


def test_the_hub_starts_without_the_packages_of_the_control_side(tmp_path: Path) -> None:
    heavy = {"asyncio", "http", "msgspec", "ssl", "structlog", "yaml"}
    code = f"import runner.host.hub, sys; print(sorted({heavy} & set(sys.modules)))"
    import runner.host

    root = Path(runner.host.__file__).parent.parent.parent
    done = subprocess.run(
        ["python3", "-I", "-S", "-c", f"import sys; sys.path.append({str(root)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
