"""What agents must not do, and nonsense: each call has its exact answer, and no host gets stuck by it."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from agent_rig import AgentRig, agent_rig
from host_cases import appspec
from official_agent import ClientError, OfficialAgent
from waiting import until

from runner.platforms.agents.identifiers import identifier

FILES, SPEC = {"a.txt": "a"}, appspec()
_NO_MESSAGE = "The agent reported a failure without a message (error code None)."
NONE_OF_OURS = "400 ClientException: HostCommandIdentifier is none"


async def handed(rig: AgentRig, agent: OfficialAgent) -> tuple[str, str]:
    """A command that is handed out to *agent*: its deployment, and its identifier."""
    deployment = rig.begin(FILES, SPEC)
    command = await asyncio.to_thread(agent.poll)
    assert command is not None
    return deployment, str(command["HostCommandIdentifier"])


async def refused(says: str, call: Any, *arguments: Any, **named: Any) -> None:
    with pytest.raises(ClientError) as caught:
        await asyncio.to_thread(call, *arguments, **named)
    assert str(caught.value).startswith(says), caught.value


async def test_identifiers_that_were_never_handed_out_are_refused(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        forged = [
            "nonsense",
            "bm9uc2Vuc2U=",
            "W1tbW1tb",
            identifier((deployment, "web-1", "Install", 1), 1),
            identifier((deployment, "web-1", "ApplicationStop", 1), 2),
            identifier((deployment, "web-1", "ApplicationStop", 2), 1),
            identifier(("d-XXXXXXXXX", "web-1", "ApplicationStop", 1), 1),
            "é" * 30,
        ]
        for each in forged:
            await refused(NONE_OF_OURS, agent.acknowledge, each)
            await refused(NONE_OF_OURS, agent.complete, each, "Succeeded", {})
        assert await asyncio.to_thread(agent.acknowledge, real) == "InProgress"


async def test_a_host_cannot_complete_acknowledge_or_read_what_is_another_hosts(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        mine, other = rig.agent("web-1"), rig.agent("web-2")
        deployment, real = await handed(rig, mine)
        theirs = "400 ClientException: the access key is of host web-2; this command is not for that host"
        await refused(theirs, other.acknowledge, real)
        await refused(theirs, other.complete, real, "Failed", {})
        asked = {"DeploymentExecutionId": f"a/b/c/{deployment}", "HostIdentifier": "web-2"}
        await refused(
            "400 ClientException: host web-2 has nothing to do for", other.call, "GetDeploymentSpecification", **asked
        )
        assert rig.statuses(deployment)["ApplicationStop"] == "InProgress"


@pytest.mark.parametrize(
    ("diagnostics", "code", "message"),
    [
        (
            "{",
            "UnknownError",
            f"{_NO_MESSAGE} The agent's diagnostics are not JSON.",
        ),
        (
            "[1]",
            "UnknownError",
            f"{_NO_MESSAGE} The agent's diagnostics are not a JSON object.",
        ),
        (
            "[" * 5000,
            "UnknownError",
            f"{_NO_MESSAGE} The agent's diagnostics are not JSON.",
        ),
        ('{"error_code": 0, "message": "fine?"}', "UnknownError", "fine?"),
        (
            '{"error_code": {"a": 1}, "message": ["x"], "log": 7, "script_name": null}',
            "UnknownError",
            "The agent reported a failure without a message (error code {'a': 1}).",
        ),
        ('{"error_code": "Unknown", "message": "no UTF-8"}', "UnknownError", "no UTF-8"),
        ('{"error_code": 3, "message": "\\ud800 too slow"}', "ScriptTimedOut", "? too slow"),
        (json.dumps({"error_code": 1, "message": "m" * 50_000}), "ScriptMissing", "m" * 4096),
        (json.dumps({"error_code": "ScriptNotExecutable", "message": "x"}), "ScriptNotExecutable", "x"),
        ("", "UnknownError", "The agent reported a failure without a message (error code None)."),
    ],
)
async def test_nonsense_in_diagnostics_still_ends_the_command(
    tmp_path: Path, diagnostics: str, code: str, message: str
) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        members = {"HostCommandIdentifier": real, "CommandStatus": "Failed"}
        sent = {"Diagnostics": {"Format": "JSON", "Payload": diagnostics}} if diagnostics else {}
        await asyncio.to_thread(agent.call, "PutHostCommandComplete", **members, **sent)
        await rig.ended(deployment)
        found = rig.failure(deployment).diagnostics
        assert found is not None
        assert (found.error_code, found.message) == (code, message)


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Banana", "", 7, None])
async def test_a_completion_with_a_status_that_is_no_end_is_refused(tmp_path: Path, status: Any) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        await refused("400 ", agent.complete, real, status, {})
        await asyncio.to_thread(agent.complete, real, "Succeeded", {"error_code": 0})
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")


async def test_a_report_that_is_too_large_is_refused_and_a_smaller_one_still_counts(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        await refused("413 ", agent.complete, real, "Succeeded", {"log": "x" * (2 << 20)})
        await asyncio.to_thread(agent.complete, real, "Succeeded", {"error_code": 0})
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")


async def test_the_first_completion_counts_however_many_come_and_whatever_they_say(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        await asyncio.to_thread(agent.complete, real, "Succeeded", {"error_code": 0})
        for _ in range(3):
            await asyncio.to_thread(agent.complete, real, "Failed", {"error_code": 4, "message": "no"})
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")
        assert await asyncio.to_thread(agent.acknowledge, real) == "Succeeded"


async def test_a_hundred_completions_at_once_are_one(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)
        codes = [
            asyncio.to_thread(agent.complete, real, "Failed", {"error_code": 4, "message": f"{n}"}) for n in range(40)
        ]
        await asyncio.gather(*codes)
        assert (await rig.ended(deployment)).status == "Failed"


async def test_output_that_is_none_is_refused(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        _, real = await handed(rig, agent)
        for payload in (
            "",
            "{",
            "[]",
            '{"log": 1, "offset": 1}',
            '{"log": "x", "offset": -1}',
            '{"log": "x", "offset": true}',
        ):
            asked = {"HostCommandIdentifier": real, "Diagnostics": {"Format": "JSON", "Payload": payload}}
            await refused("400 ClientException: Diagnostics should be", agent.call, "PostHostCommandUpdate", **asked)


async def test_output_is_taken_where_it_follows_and_no_piece_twice(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment, real = await handed(rig, agent)

        def send(log: str, begins: int, ends: int) -> Any:
            payload = json.dumps({"log": log, "from": begins, "offset": ends})
            asked = {"HostCommandIdentifier": real, "Diagnostics": {"Format": "JSON", "Payload": payload}}
            return agent.call("PostHostCommandUpdate", **asked)["Offset"]

        said = [
            await asyncio.to_thread(send, *piece)
            for piece in [
                ("", 0, 0),
                ("[stdout]a\n", 0, 500),
                ("[stdout]a\n", 0, 500),
                ("[stdout]c\n", 600, 700),
                ("[stdout]b\n", 500, 600),
            ]
        ]
        assert said == [0, 500, 500, 500, 600]
        assert rig.logs.read(deployment, "web-1") == "[stdout]a\n[stdout]b\n"


@pytest.mark.parametrize("role", ["admin", "deployer", "reader"])
async def test_only_keys_of_hosts_may_call_the_command_api_or_take_bundles(tmp_path: Path, role: Any) -> None:
    from agent_rig import now

    async with agent_rig(tmp_path) as rig:
        issued = rig.store.keys.create(role, None, "", now())
        agent = rig.agent(key=(issued.principal.access_key_id, issued.secret.reveal()))
        await refused("403 AccessDeniedException", agent.poll)
        await refused("403 AccessDenied", agent.get_object, "penstock_bundles", "x.tgz")


async def test_a_wrong_secret_is_refused_everywhere(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent(key=(rig.key("web-1")[0], "x" * 40))
        await refused("403 InvalidSignatureException", agent.poll)
        await refused("403 SignatureDoesNotMatch", agent.get_object, "penstock_bundles", "x.tgz")


def enrol(rig: AgentRig, body: bytes, method: str = "POST") -> tuple[int, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(rig.url + "/enrol", body if method == "POST" else None, method=method)
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


async def test_a_token_enrols_one_agent_whose_key_works_at_once(tmp_path: Path) -> None:
    import datetime as dt

    from agent_rig import now

    async with agent_rig(tmp_path) as rig:
        token = rig.store.keys.invite("web-1", rig.signing_key.fingerprint(), dt.timedelta(hours=1), now())
        answers = await asyncio.gather(
            *(asyncio.to_thread(enrol, rig, json.dumps({"token": token}).encode()) for _ in range(4))
        )
        (made,) = [body for status, body in answers if status == 200]
        assert sorted(status for status, _ in answers) == [200, 400, 400, 400]
        assert {body["__type"] for status, body in answers if status == 400} == {"InvalidTokenException"}
        assert made["host"] == "web-1"
        assert made["region"] == "us-east-1"
        assert int(made["signing_key"]["n"], 16) == rig.signing_key.modulus
        assert made["signing_key"]["e"] == 65537
        agent = await asyncio.to_thread(
            rig.agent(key=(made["access_key_id"], made["secret_access_key"]), identifier="web-1").start
        )
        assert (await rig.ended(rig.begin(FILES, SPEC))).status == "Succeeded"
        assert len(agent.executed) == 7


async def test_what_is_no_token_enrols_nobody(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        bodies = [
            b"",
            b"{",
            b"[]",
            b'{"token": 7}',
            b'{"token": ""}',
            b'{"token": "' + b"x" * 2000 + b'"}',
            b'{"token": "a.b"}',
        ]
        for body in bodies:
            status, said = await asyncio.to_thread(enrol, rig, body)
            assert (status, said["__type"]) == (400, "InvalidTokenException"), body
        status, said = await asyncio.to_thread(enrol, rig, b"x" * (2 << 20))
        assert (status, said["__type"]) == (413, "RequestEntityTooLargeException")
