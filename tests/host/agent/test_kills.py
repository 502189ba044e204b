"""The agent killed at random moments of whole deployments: every event ends, and no script runs twice.

The hooks tell themselves what they did, in a file of their own: the executor's journal is not asked.
"""

import os
import random
import time

from agent_cases import AgentHost, ended, is_over
from agent_server import AgentServer, Event
from host_cases import EVENTS
from processes import children_of, kill
from waiting import until

KILLS = 30
SEED = 20261123
HOOK = 'say() {{ echo "$LIFECYCLE_EVENT {0} $1" >> "$PENSTOCK_ROOT/trace"; }}; say begin; echo {0}; {1}say end'
SCRIPTS = {"a.sh": HOOK.format("a", ""), "b.sh": HOOK.format("b", "sleep 0.05; ")}
HOOKS = {
    "BeforeInstall": ["a.sh", "b.sh"],
    "AfterInstall": ["b.sh", "a.sh"],
    "ApplicationStart": ["b.sh"],
    "ValidateService": ["a.sh"],
}
TRACE = [
    f"{event} {script.removesuffix('.sh')} {moment}"
    for event in EVENTS
    for script in HOOKS.get(event, [])
    for moment in ("begin", "end")
]


async def under_fire(host: AgentHost, events: list[Event], chooser: random.Random) -> int:
    """Kill the agent again and again until the deployment is over. Returns how often."""
    kills = 0
    while not is_over(events):
        assert host.process
        moment = time.monotonic() + chooser.uniform(0.0, 0.8)  # it takes some of that to start
        await until(lambda moment=moment: time.monotonic() > moment or is_over(events))  # type: ignore[misc]
        host.kill()
        host.start()
        kills += 1
    return kills


async def test_every_event_ends_and_no_script_runs_twice_however_often_the_agent_is_killed(
    host: AgentHost, server: AgentServer
) -> None:
    chooser = random.Random(SEED)
    kills = number = 0
    host.start()
    while kills < KILLS:
        number += 1
        files = SCRIPTS | {f"app/{name}": f"{number}" * 1000 for name in "abc"}
        events = host.deploy(files, HOOKS, {"app": "/srv"}, f"d-{number}")
        kills += await under_fire(host, events, chooser)
        assert [event.succeeded for event in events] == [True] * 7, [event.completes for event in events]
        trace = host.root / "trace"
        assert trace.read_text().splitlines() == TRACE
        trace.unlink()
        assert (host.root / "srv/a").read_text() == f"{number}" * 1000
        for event in events:
            printed = [line for line in event.log.splitlines() if line.startswith("[stdout]")]
            assert printed == [f"[stdout]{script.removesuffix('.sh')}" for script in HOOKS.get(event.name, [])]
        assert host.process and host.process.poll() is None
    await until(lambda: not list((host.state / "ongoing").iterdir()))
    assert not list((host.state / "bundles").iterdir())


async def test_a_script_that_outlives_the_agent_is_reported_by_the_next_one(
    host: AgentHost, server: AgentServer
) -> None:
    wait = 'echo one; touch "$PENSTOCK_ROOT/at"; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done; echo two'
    host.start()
    events = host.deploy({"s.sh": wait}, {"AfterInstall": ["s.sh"]})
    await until(lambda: "one" in events[4].log)
    host.kill()
    (host.root / "go").touch()
    await until(lambda: "two" in "".join(path.read_text() for path in host.state.parent.rglob("scripts.log")))
    assert not events[4].completes
    host.start()
    assert await ended(events) == ["Succeeded"] * 7
    assert events[4].log.splitlines()[-2:] == ["[stdout]one", "[stdout]two"]
    assert len(events[4].handed_out) == 1
    assert "taking up AfterInstall of d-1" in host.said


async def test_an_executor_that_dies_is_replaced_and_its_script_goes_on(host: AgentHost) -> None:
    wait = 'echo one >> "$PENSTOCK_ROOT/trace"; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done; echo two'
    process = host.start()
    events = host.deploy({"s.sh": wait}, {"AfterInstall": ["s.sh"]})
    trace = host.root / "trace"
    for _ in range(2):  # the session alone, then all of it
        await until(lambda: trace.exists() and bool(sessions(process.pid)))
        for session in sessions(process.pid):
            kill(session)
        hub = children_of(process.pid)[0]
    kill(hub, parent=process.pid)
    (host.root / "go").touch()
    assert await ended(events) == ["Succeeded"] * 7
    assert trace.read_text() == "one\n"
    assert events[4].log.splitlines()[-1] == "[stdout]two"


def sessions(agent: int) -> list[int]:
    return [session for hub in children_of(agent) for session in children_of(hub)]


async def test_half_a_bundle_is_taken_up_where_the_dead_agent_left_it(host: AgentHost, server: AgentServer) -> None:
    server.holds_bundle_at = 200_000
    host.start()
    events = host.deploy({"app/x": os.urandom(500_000)}, {}, {"app": "/srv"})
    parts = host.state / "bundles"
    await until(lambda: parts.exists() and [path.stat().st_size for path in parts.iterdir()] == [200_000])
    host.kill()
    server.let_go.set()
    host.start()
    assert await ended(events) == ["Succeeded"] * 7
    assert server.ranges == [None, "bytes=200000-"]
    assert (host.root / "srv/x").stat().st_size == 500_000


async def test_what_the_server_has_done_with_meanwhile_is_dropped(host: AgentHost, server: AgentServer) -> None:
    wait = 'echo one; touch "$PENSTOCK_ROOT/at"; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done'
    host.start()
    events = host.deploy({"s.sh": wait}, {"BeforeInstall": ["s.sh"]}, events=EVENTS[:3])
    await until(lambda: (host.root / "at").exists())
    host.kill()
    server.complete(
        {
            "HostCommandIdentifier": events[2].identifier(),
            "CommandStatus": "Failed",
            "Diagnostics": {"Payload": '{"message": "it took too long"}'},
        }
    )
    host.start()
    await until(lambda: "the server has done with it" in host.said)
    await until(lambda: not list((host.state / "ongoing").iterdir()))
    (host.root / "go").touch()
    assert len(events[2].completes) == 1


async def test_commands_that_are_torn_or_a_day_old_are_not_taken_up(host: AgentHost) -> None:
    folder = host.state / "ongoing"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text('{"identifier": "a')
    (folder / "half.json.new").write_text("{}")
    old = folder / "old.json"
    old.write_text(
        '{"identifier": "a", "host": "web-1", "execution_id": "a/b/c/d-1", "event": "Install", "attempt": 1}'
    )
    os.utime(old, (1, 1))
    host.start()
    assert await ended(host.deploy({}, events=EVENTS[:1])) == ["Succeeded"]
    await until(lambda: not list(folder.iterdir()))
    assert "taking up" not in host.said
