"""The command API with its real handlers: whatever an agent with a valid key sends is answered, and nothing gets stuck."""

import asyncio
import contextlib
import http.client
import json
import os
from pathlib import Path
from typing import Any

import pytest
from agent_rig import AgentRig, agent_rig
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from host_cases import appspec
from hypothesis import HealthCheck, given, settings
from wire.generation import POOLS, RAW, Pools, requests, spoilt
from wire.judge import Judge

from runner.api.awsjson import models

FUZZ = settings(
    max_examples=int(os.environ.get("PENSTOCK_FUZZ", "40")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
COMMANDS = models.commands()
FILES, SPEC = {"a.txt": "a"}, appspec()
REPORTS = [
    "",
    "nonsense",
    "[]",
    '{"error_code": 4, "script_name": 7, "message": null, "log": ["x"]}',
    '{"error_code": 1e400}',
    '{"error_code": "Unknown", "started_at": "never", "ended_at": "2026-01-01T00:00:00Z"}',
    '{"log": "é\\ud800\\u0000", "from": 0, "offset": 5}',
    '{"log": "x", "from": -1, "offset": 99999999999999999999}',
    '{"log": "x", "from": 0, "offset": 1}',
    '{"log": 5, "from": "0", "offset": null}',
    '{"IsCommandNoop": "perhaps"}',
]


class Wire:
    """Requests of one host, signed as an agent signs them."""

    def __init__(self, rig: AgentRig, host: str) -> None:
        self._credentials = Credentials(*rig.key(host))
        self._connection = http.client.HTTPConnection(rig.address, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def post(self, operation: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        request = AWSRequest(
            "POST",
            f"http://{self._connection.host}:{self._connection.port}/",
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"CodeDeployCommandService_v20141006.{operation}",
            },
            data=body,
        )
        SigV4Auth(self._credentials, "codedeploy-commands", "us-east-1").add_auth(request)
        self._connection.request("POST", "/", body, dict(request.headers.items()))
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def pools(command: dict[str, Any]) -> Pools:
    """Values that mean something to the desk, and others."""
    return {
        **POOLS,
        "HostCommandIdentifier": [*[command["HostCommandIdentifier"]] * 3, "nonsense", "bm9uc2Vuc2U="],
        "DeploymentExecutionId": [command["DeploymentExecutionId"], "a/b/c/d", *POOLS["DeploymentExecutionId"]],
        "HostIdentifier": ["web-1", "arn:aws:iam::000000000000:user/web-1", "web-2", "\u2028"],
        "DiagnosticsPayload": REPORTS,
        "OutputPayload": [*REPORTS, *['{"log": "x", "from": 0, "offset": 1}'] * 5],
    }


@pytest.mark.parametrize("operation", sorted(COMMANDS["operations"]))
async def test_the_desk_answers_whatever_agents_send(tmp_path: Path, operation: str) -> None:
    judge, answered = Judge(COMMANDS), []

    def fuzz(wire: Wire, known: Pools) -> None:
        valid = requests(COMMANDS, operation, known).map(as_json)

        @FUZZ
        @given(valid | spoilt(COMMANDS, operation, known).map(as_json) | RAW)
        def send(body: bytes) -> None:
            answered.append(judge.judge(operation, *wire.post(operation, body)))

        send()

    async with agent_rig(tmp_path, hold=0.01) as rig:
        agent = rig.agent()
        rig.begin(FILES, SPEC)
        while (command := await asyncio.to_thread(agent.poll)) is None:
            pass
        with contextlib.closing(Wire(rig, "web-1")) as wire:
            await asyncio.to_thread(fuzz, wire, pools(command))
        assert "" in answered  # some of it got as far as the desk
        await asyncio.to_thread(agent.start)
        sound = rig.begin(FILES, SPEC, name="another")
        assert (await rig.ended(sound)).status == "Succeeded", rig.failure(sound)


def as_json(request: Any) -> bytes:
    return json.dumps(request).encode()
