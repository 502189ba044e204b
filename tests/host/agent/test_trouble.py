"""A server that is away, in trouble, or speaks nonsense; keys that are wrong; bundles that break off."""

import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_cases import HOST, AgentHost, ended
from agent_server import AgentServer, signed
from cryptography.hazmat.primitives.asymmetric import rsa
from host_cases import EVENTS, appspec
from waiting import until

SAY = {"s.sh": 'echo "$LIFECYCLE_EVENT" | tee -a "$PENSTOCK_ROOT/trace"'}
HOOKS = {"BeforeInstall": ["s.sh"], "AfterInstall": ["s.sh"], "ValidateService": ["s.sh"]}
OPERATIONS = (
    "GetDeploymentSpecification",
    "PutHostCommandAcknowledgement",
    "PostHostCommandUpdate",
    "PutHostCommandComplete",
    "GetObject",
)


def each_once(fault: str) -> Callable[[str], str | None]:
    """Each operation goes wrong the first time, for each event or nearly so."""
    wrong: dict[str, int] = {}

    def ask(operation: str) -> str | None:
        wrong[operation] = wrong.get(operation, -1) + 1
        return fault if operation in OPERATIONS and wrong[operation] % 2 == 0 else None

    return ask


@pytest.mark.parametrize("fault", ["500", "503", "throttled", "drop", "mute"])
async def test_every_call_is_repeated_until_it_is_answered_and_nothing_runs_twice(
    host: AgentHost, server: AgentServer, fault: str
) -> None:
    server.fault = each_once(fault)
    host.start()
    events = host.deploy(SAY, HOOKS)
    assert await ended(events) == ["Succeeded"] * 7
    assert (host.root / "trace").read_text().split() == ["BeforeInstall", "AfterInstall", "ValidateService"]
    assert [event.log.count("[stdout]") for event in events] == [0, 0, 1, 0, 1, 0, 1]


async def test_polls_at_random_trouble_go_on(host: AgentHost, server: AgentServer) -> None:
    chooser = random.Random(7)
    server.fault = lambda operation: chooser.choice([None, None, "500", "drop"])
    host.start()
    assert await ended(host.deploy(SAY, HOOKS), within=90) == ["Succeeded"] * 7
    assert (host.root / "trace").read_text().split() == ["BeforeInstall", "AfterInstall", "ValidateService"]


async def test_a_server_that_goes_away_and_comes_back_is_noticed_and_told_everything(
    host: AgentHost, server: AgentServer
) -> None:
    wait = 'touch "$PENSTOCK_ROOT/at"; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done; seq 1 20000'
    host.start()
    events = host.deploy({"s.sh": wait}, {"BeforeInstall": ["s.sh"]})
    await until(lambda: (host.root / "at").exists())
    server.stop()
    (host.root / "go").touch()
    away = f"\n{server.url} cannot be reached: Connection refused; trying again\n"
    await until(lambda: away in host.said)
    server.start()
    assert await ended(events) == ["Succeeded"] * 7
    assert events[2].log.splitlines()[-1] == "[stdout]20000"
    assert events[2].log.count("[stdout]") == 20000
    await until(lambda: "the server answers again" in host.said)


async def test_output_that_the_server_has_lost_is_sent_again_from_there(host: AgentHost, server: AgentServer) -> None:
    wait = 'echo one; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done; echo two'
    host.start()
    events = host.deploy({"s.sh": wait}, {"BeforeInstall": ["s.sh"]})
    await until(lambda: "one" in events[2].log)
    server.loses_output = 1
    (host.root / "go").touch()
    await ended(events)
    assert events[2].log.splitlines()[-2:] == ["[stdout]one", "[stdout]two"]


async def test_a_wrong_key_is_said_once_and_a_new_one_is_taken_up_without_a_restart(
    host: AgentHost, server: AgentServer
) -> None:
    host.configure(secret_access_key="of yesterday")
    host.start()
    refused = "the server refuses the key PKAGENT of host web-1: InvalidSignatureException"
    await until(lambda: refused in host.said)
    events = host.deploy(SAY, HOOKS)
    host.configure()
    assert await ended(events, within=10) == ["Succeeded"] * 7  # it does not wait out its pause
    assert host.said.count(refused) == 1
    assert "agent.json has changed" in host.said


async def test_a_key_that_is_revoked_in_the_middle_loses_nothing_once_there_is_a_new_one(
    host: AgentHost, server: AgentServer
) -> None:
    wait = 'touch "$PENSTOCK_ROOT/at"; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done'
    host.start()
    events = host.deploy({"s.sh": wait}, {"BeforeInstall": ["s.sh"]})
    await until(lambda: (host.root / "at").exists())
    server.keys.clear()
    (host.root / "go").touch()
    await until(lambda: "UnrecognizedClientException: the key is not known; trying again" in host.said)
    server.add_key(HOST, "PKNEW", "another")
    host.configure(access_key_id="PKNEW", secret_access_key="another")
    assert await ended(events) == ["Succeeded"] * 7


async def test_settings_that_make_no_sense_are_said_and_those_before_stay(host: AgentHost) -> None:
    host.start()
    await ended(host.deploy({}, events=EVENTS[:1]))
    host.config.write_text("{}")
    events = host.deploy({}, deployment="d-2", events=EVENTS[:1])
    assert await ended(events) == ["Succeeded"]
    assert "going on with what it was before" in host.said


async def test_a_bundle_that_breaks_off_is_fetched_from_where_it_broke(host: AgentHost, server: AgentServer) -> None:
    server.breaks_after = [100_000, 200_000]
    host.start()
    events = host.deploy({"app/x": os.urandom(500_000)}, {}, {"app": "/srv"})
    assert await ended(events) == ["Succeeded"] * 7
    assert server.ranges == [None, "bytes=100000-", "bytes=300000-"]
    assert not list((host.state / "bundles").iterdir())
    assert not list(host.root.rglob("bundle.tar"))


async def test_a_server_without_ranges_sends_all_of_it_again(host: AgentHost, server: AgentServer) -> None:
    server.breaks_after, server.serves_ranges = [100_000], False
    host.start()
    events = host.deploy({"app/x": os.urandom(500_000)}, {}, {"app": "/srv"})
    assert await ended(events) == ["Succeeded"] * 7
    assert server.ranges == [None, "bytes=100000-"]


async def test_a_bundle_with_other_content_is_fetched_once_more_and_then_refused(
    host: AgentHost, server: AgentServer
) -> None:
    bundle, other = host.bundle({"app/x": b"x" * 1000}), host.bundle({"app/x": b"y" * 1000})
    assert bundle.size == other.size
    request = host.request(bundle, appspec({"app": "/srv"}))
    events = server.deploy(HOST, request, Path(other.path), EVENTS)
    host.start()
    assert await ended(events) == ["Succeeded", "Failed"]
    assert events[1].diagnostics["error_code"] == 5
    assert "SHA-256 is another" in events[1].diagnostics["message"]
    assert len(server.ranges) == 2


async def test_a_bundle_that_the_server_refuses_is_a_failed_event(host: AgentHost, server: AgentServer) -> None:
    host.start()
    events = host.deploy({}, {})
    server.fault = lambda operation: "404" if operation == "GetObject" else None
    assert await ended(events) == ["Succeeded", "Failed"]
    assert events[1].diagnostics["message"] == ("The bundle cannot be fetched from the server: NoSuchKey: as told")


def tampered(answer: dict[str, Any]) -> dict[str, Any]:
    envelope = answer["DeploymentSpecification"]["VariantEnvelope"]
    envelope["Payload"] = envelope["Payload"].replace("web-1", "web-2")
    return answer


def of_another_key(answer: dict[str, Any]) -> dict[str, Any]:
    del answer
    return signed({"Penstock": {}}, rsa.generate_private_key(public_exponent=65537, key_size=2048))


def without_signature(answer: dict[str, Any]) -> dict[str, Any]:
    del answer["DeploymentSpecification"]["VariantEnvelope"]
    return answer


def nonsense(answer: dict[str, Any]) -> dict[str, Any]:
    del answer
    return {"DeploymentSystem": "CodeDeploy", "DeploymentSpecification": []}


def for_another_host(answer: dict[str, Any]) -> dict[str, Any]:
    del answer
    ours = {"host": "web-2", "request": {"deployment": "d-1"}, "events": list(EVENTS)}
    return signed({"Penstock": ours})


def of_another_deployment(answer: dict[str, Any]) -> dict[str, Any]:
    del answer
    ours = {"host": HOST, "request": {"deployment": "d-0"}, "events": list(EVENTS)}
    return signed({"Penstock": ours})


def for_other_events(answer: dict[str, Any]) -> dict[str, Any]:
    del answer
    return signed({"Penstock": {"host": HOST, "request": {"deployment": "d-1"}, "events": ["Install"]}})


@pytest.mark.parametrize(
    ("mutate", "why"),
    [
        (tampered, "is not signed by the key that this host pinned"),
        (of_another_key, "is not signed by the key that this host pinned"),
        (without_signature, "has no signature that this agent can check"),
        (nonsense, "is not one that this agent understands"),
        (for_another_host, "is for the host web-2; this is web-1"),
        (of_another_deployment, "is of d-0; asked for was"),
        (for_other_events, "BeforeInstall is not among the lifecycle events of this deployment"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_what_is_not_signed_for_this_host_is_refused_and_never_run(
    host: AgentHost, server: AgentServer, mutate: Callable[[dict[str, Any]], dict[str, Any]], why: str
) -> None:
    server.mutate = mutate
    host.start()
    events = host.deploy(SAY, HOOKS, events=("BeforeInstall",))
    assert await ended(events) == ["Failed"]
    assert events[0].diagnostics["error_code"] == 5
    assert why in events[0].diagnostics["message"]
    assert not events[0].acknowledged
    assert not (host.root / "trace").exists()


async def test_answers_to_polls_that_are_no_commands_do_not_stop_the_agent(
    host: AgentHost, server: AgentServer
) -> None:
    nonsense: list[Any] = [{"HostCommand": {}}, {"HostCommand": "x"}, {"HostCommand": {"Nonce": "one"}}]
    real = server.poll
    server.poll = lambda *given: nonsense.pop() if nonsense else real(*given)  # type: ignore[method-assign]
    host.start()
    assert await ended(host.deploy({}, events=EVENTS[:1])) == ["Succeeded"]
    assert not nonsense
    assert host.said.count("handed out what is not a command") == 1  # the same is not said again


async def test_empty_answers_that_were_not_held_do_not_make_it_ask_without_a_pause(
    host: AgentHost, server: AgentServer
) -> None:
    server.hold = 0.0
    host.start()
    began = time.monotonic()
    await until(lambda: server.count("PollHostCommand") >= 5)
    await until(lambda: time.monotonic() > began + 2)
    assert server.count("PollHostCommand") < 60
    assert host.said.count("\n") == 1  # who it is; nothing about polls


async def test_a_terminated_agent_leaves_running_scripts_alone_and_ends_at_once_when_idle(
    host: AgentHost, server: AgentServer
) -> None:
    process = host.start()
    await until(lambda: server.polls == 1)
    began = time.monotonic()
    assert host.stop() == 0
    assert time.monotonic() - began < 5
    host.start()
    events = host.deploy(
        {"s.sh": 'sleep 0.3; touch "$PENSTOCK_ROOT/done"'}, {"BeforeInstall": ["s.sh"]}, events=EVENTS[:3]
    )
    await until(lambda: bool(events[2].acknowledged))
    assert host.stop() == 0
    assert events[2].succeeded  # what was nearly done was waited for and reported
    assert (host.root / "done").exists()
    assert process.returncode == 0


async def test_only_one_agent_works_in_a_state_folder(host: AgentHost, server: AgentServer) -> None:
    first = host.start()
    await until(lambda: server.polls == 1)
    second = host.start()
    assert second.wait(20) == 2
    assert "another agent works in" in host.said
    host.process = first


async def test_systemd_is_told_when_it_is_ready_and_that_it_lives(host: AgentHost, server: AgentServer) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(host.folder / "n"))
        listener.settimeout(20)
        host.start(NOTIFY_SOCKET=str(host.folder / "n"), WATCHDOG_USEC="300000", JOURNAL_STREAM="8:1")
        ready = listener.recv(4096).decode().splitlines()
        assert ready == ["READY=1", f"STATUS=host web-1 of {server.url}; 0 commands under way"]
        assert listener.recv(4096).decode().splitlines()[0] == "WATCHDOG=1"
        assert host.process
        os.kill(host.process.pid, signal.SIGTERM)
        while (last := listener.recv(4096)) != b"STOPPING=1":
            assert last.startswith(b"WATCHDOG=1")
    assert host.stop() == 0
    assert host.said.startswith("<6>this is host web-1")
