"""Agents that are not there, stop, take too long, or lose what they were given on the way."""

import asyncio
import datetime as dt
import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any

from agent_rig import agent_rig, now
from host_cases import EVENTS, appspec
from waiting import until

from runner.model.host_command import AgentTimeouts

FILES, SPEC = {"a.txt": "a"}, appspec()
SHORT, LONG = dt.timedelta(seconds=0.3), dt.timedelta(hours=1)
SOON_LOST = dt.timedelta(seconds=0.05)


def timeouts(start: dt.timedelta = LONG, event: dt.timedelta = LONG, heartbeat: dt.timedelta = LONG) -> AgentTimeouts:
    return AgentTimeouts(start=start, event=event, heartbeat=heartbeat)


def why(rig: Any, deployment: str) -> str:
    found = rig.failure(deployment).diagnostics
    return f"{found.error_code}: {found.message}"


async def test_a_host_without_an_agent_fails_with_every_event_skipped(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts(start=SHORT)) as rig:
        deployment = rig.begin(FILES, SPEC)
        assert (await rig.ended(deployment)).status == "Failed"
        assert rig.target(deployment).status == "Failed"
        assert rig.statuses(deployment) == dict.fromkeys(EVENTS, "Skipped")
        assert why(rig, deployment).startswith("UnknownError: No agent of web-1 has ever asked for its commands")
        assert "penstock keys enrol web-1" in why(rig, deployment)
        (entry,) = [each for each in rig.store.journal(deployment) if each.kind == "lifecycle event skipped"]
        assert "No agent of web-1" in entry.details["message"]


async def test_ignoring_failures_of_application_stop_does_not_ignore_a_missing_agent(tmp_path: Path) -> None:
    from runner.model.deployment import Options

    async with agent_rig(tmp_path, timeouts=timeouts(start=SHORT)) as rig:
        first = rig.begin(FILES, SPEC)
        ended = await rig.ended(first)
        again = rig.store.create_again(ended, Options(ignore_application_stop_failures=True), now())
        assert (await rig.ended(again)).status == "Failed"
        assert set(rig.statuses(again).values()) == {"Skipped"}


async def test_an_agent_that_falls_silent_before_it_takes_a_command_up_is_named_with_its_last_word(
    tmp_path: Path,
) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts(heartbeat=SHORT)) as rig:
        await asyncio.to_thread(rig.agent().poll)
        deployment = rig.begin(FILES, SPEC)
        assert (await rig.ended(deployment)).status == "Failed"
        assert set(rig.statuses(deployment).values()) == {"Skipped"}
        assert why(rig, deployment).startswith("UnknownError: The agent of web-1 was last heard of at 20")


async def test_an_agent_that_dies_in_an_event_fails_that_event(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts(heartbeat=SHORT)) as rig:
        agent = rig.agent()
        deployment = rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        await asyncio.to_thread(agent.acknowledge, command["HostCommandIdentifier"])
        assert (await rig.ended(deployment)).status == "Failed"
        assert rig.statuses(deployment)["ApplicationStop"] == "Failed"
        assert "last heard of" in why(rig, deployment)
        assert "systemctl status codedeploy-agent" in why(rig, deployment)


async def test_a_silent_agent_that_polls_again_is_not_silent(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts(heartbeat=dt.timedelta(seconds=1))) as rig:
        hold = threading.Event()

        def run(event: str, specification: dict[str, Any]) -> bool:
            return hold.wait(2.5) if event == "BeforeInstall" else True

        await asyncio.to_thread(rig.agent(run=run).start)
        assert (await rig.ended(rig.begin(FILES, SPEC))).status == "Succeeded"


async def test_an_event_that_never_ends_fails_and_what_comes_later_is_taken_and_ignored(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts(event=SHORT)) as rig:
        agent = rig.agent()
        deployment = rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        identifier = command["HostCommandIdentifier"]
        assert await asyncio.to_thread(agent.acknowledge, identifier) == "InProgress"
        assert (await rig.ended(deployment)).status == "Failed"
        assert rig.statuses(deployment)["ApplicationStop"] == "Failed"
        assert why(rig, deployment).startswith("ScriptTimedOut: ApplicationStop on web-1 has not ended within")
        await asyncio.to_thread(agent.complete, identifier, "Succeeded", {"error_code": 0})
        assert await asyncio.to_thread(agent.acknowledge, identifier) == "Failed"
        assert rig.statuses(deployment)["ApplicationStop"] == "Failed"


async def test_what_was_lost_on_the_way_is_handed_out_anew_and_only_one_handing_out_runs(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, lost_after=SOON_LOST) as rig:
        agent = rig.agent()
        deployment = rig.begin(FILES, SPEC)
        lost, found = [await asyncio.to_thread(agent.poll) for _ in range(2)]
        assert lost is not None
        assert found is not None
        first, second = lost.pop("HostCommandIdentifier"), found.pop("HostCommandIdentifier")
        assert first != second
        assert lost == found
        assert await asyncio.to_thread(agent.acknowledge, second) == "InProgress"
        assert await asyncio.to_thread(agent.acknowledge, first) == "Succeeded"  # the agent drops it
        assert await asyncio.to_thread(agent.acknowledge, second) == "InProgress"  # the SDK repeats itself
        await asyncio.to_thread(agent.complete, first, "Failed", {"error_code": 5, "message": "not this one"})
        await asyncio.to_thread(agent.complete, second, "Succeeded", {"error_code": 0})
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")


async def test_the_handing_out_that_is_acknowledged_first_runs_though_a_later_one_is_out(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, lost_after=SOON_LOST) as rig:
        agent = rig.agent()
        rig.begin(FILES, SPEC)
        slow, anew = [await asyncio.to_thread(agent.poll) for _ in range(2)]
        assert slow is not None
        assert anew is not None
        assert await asyncio.to_thread(agent.acknowledge, slow["HostCommandIdentifier"]) == "InProgress"
        assert await asyncio.to_thread(agent.acknowledge, anew["HostCommandIdentifier"]) == "Succeeded"


async def test_a_poll_that_hung_up_takes_no_command_with_it(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:  # a command that went with it would come again after 20 s only
        key = rig.key("web-1")
        agent = rig.agent(key=key)
        for _ in range(20):
            (await asyncio.to_thread(open_poll, rig.address, agent)).close()
        await asyncio.to_thread(agent.start)
        deployment = rig.begin(FILES, SPEC)
        assert (await rig.ended(deployment, within=15)).status == "Succeeded"
        assert [each.event for each in agent.executed] == list(EVENTS)


async def test_polls_that_hang_up_all_the_time_make_nothing_run_twice(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, lost_after=SOON_LOST) as rig:
        agent = rig.agent()
        await asyncio.to_thread(agent.start)
        made = [rig.begin({"a.txt": f"{number}"}, SPEC, name=f"group-{number}") for number in range(4)]
        going_on = True

        async def hang_up() -> None:
            while going_on:
                held = [await asyncio.to_thread(open_poll, rig.address, agent) for _ in range(3)]
                for each in held:
                    each.close()

        disturbing = asyncio.create_task(hang_up())
        for deployment in made:
            assert (await rig.ended(deployment)).status == "Succeeded"
        going_on = False
        await disturbing
        assert len(agent.executed) == len(set(agent.executed)) == 4 * len(EVENTS)


async def test_draining_lets_go_of_what_nobody_took_up_and_waits_for_what_runs(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, ["web-1", "web-2"]) as rig:
        agent = rig.agent("web-1")
        deployment = rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        await asyncio.to_thread(agent.acknowledge, command["HostCommandIdentifier"])
        await until(lambda: len(rig.store.host_commands.unfinished()) == 2)
        rig.driver.drain()
        rig.desk.drain()
        waiting = asyncio.create_task(asyncio.to_thread(rig.agent("web-2").poll))
        await asyncio.to_thread(agent.complete, command["HostCommandIdentifier"], "Succeeded", {"error_code": 0})
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")
        assert not waiting.done()  # it is held as ever, and gets nothing that could not be seen through
        rig.desk.close()
        assert await waiting is None
        (left,) = rig.store.host_commands.unfinished()
        assert (left.host, left.status, left.handed_out) == ("web-2", "Pending", 0)


def open_poll(address: str, agent: Any) -> socket.socket:
    """A connection on which a poll has been sent; nobody reads its answer."""
    body = json.dumps({"HostIdentifier": agent.identifier}).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "CodeDeployCommandService_v20141006.PollHostCommand",
    }
    request = agent._signed("POST", f"http://{address}/", headers, body)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("POST", "/", body, dict(request.header_items()))
    assert connection.sock is not None
    return connection.sock


async def test_a_stop_does_not_wait_for_an_agent_that_has_taken_nothing_up(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts()) as rig:
        untouched = rig.begin(FILES, SPEC)
        await until(lambda: bool(rig.store.targets(untouched)))
        rig.store.request_stop(untouched, now(), rollback=None)
        ended = await rig.ended(untouched)
        assert (ended.status, rig.target(untouched).status) == ("Stopped", "Skipped")
        assert set(rig.statuses(untouched).values()) == {"Skipped"}
        assert "stopped before the agent of web-1 took up ApplicationStop" in why(rig, untouched)


async def test_what_an_agent_has_taken_up_is_let_end_when_its_deployment_is_stopped(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts()) as rig:
        agent, deployment = rig.agent(), rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        identifier = command["HostCommandIdentifier"]
        assert await asyncio.to_thread(agent.acknowledge, identifier) == "InProgress"
        rig.store.request_stop(deployment, now(), rollback=None)
        await asyncio.sleep(0.1)  # ten turns of the desk
        assert not rig.store.deployment(deployment).status.is_terminal
        await asyncio.to_thread(agent.complete, identifier, "Succeeded", {"error_code": 0})
        assert (await rig.ended(deployment)).status == "Stopped"
        assert rig.statuses(deployment)["ApplicationStop"] == "Succeeded"
        assert rig.target(deployment).status == "Failed"  # half a deployment is not a healthy host


async def test_an_agent_that_takes_a_withdrawn_command_up_is_told_to_drop_it(tmp_path: Path) -> None:
    async with agent_rig(tmp_path, timeouts=timeouts()) as rig:
        agent, deployment = rig.agent(), rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        rig.store.request_stop(deployment, now(), rollback=None)
        assert (await rig.ended(deployment)).status == "Stopped"
        assert await asyncio.to_thread(agent.acknowledge, command["HostCommandIdentifier"]) == "Failed"
