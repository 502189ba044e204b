"""Every operation, with requests made up from the service model, over a socket: never a 5xx, never an odd answer.

By hand, for longer: `PENSTOCK_FUZZ=2000 pytest tests/wire/test_fuzz.py` sends so many requests to each operation.
"""

import http.client
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from api_rig import Rig
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from wire.generation import RAW, made_up_answer, requests, spoilt
from wire.judge import Judge
from wire.world import Served, served

from runner.api.awsjson import models
from runner.api.call import AsyncOperation, Call, Handler, Operation, Result
from runner.errors import Refused

EXAMPLES = int(os.environ.get("PENSTOCK_FUZZ", "15"))
FUZZ = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

CODEDEPLOY, COMMANDS = models.codedeploy(), models.commands()


def as_json(request: Any) -> bytes:
    return json.dumps(request).encode()


def made_up(model: dict[str, Any], name: str) -> Handler:
    """A handler that knows only its shapes: the same call is answered, or refused, in the same way."""
    declared = [error["shape"] for error in model["operations"][name]["errors"] if error["shape"] != "ServerException"]

    def answer(call: Call) -> Result:
        chance = random.Random(repr(call.params))
        if declared and chance.random() < 0.2:
            raise Refused(chance.choice(declared), "made up: é€😀 \ud800")
        return made_up_answer(model, name, chance)

    return answer


def made_up_async(model: dict[str, Any], name: str) -> AsyncOperation:
    plain = made_up(model, name)

    async def answer(call: Call) -> Result:
        return plain(call)

    return AsyncOperation(answer)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def to_real(real: Served) -> Iterator[http.client.HTTPConnection]:
    connection = real.rig.connection()
    yield connection
    connection.close()


def test_all_operations_are_served(real: Served) -> None:
    assert set(real.operations) == set(CODEDEPLOY["operations"])


@pytest.mark.parametrize("operation", sorted(CODEDEPLOY["operations"]))
def test_the_real_handlers_answer_whatever_is_sent(
    real: Served, to_real: http.client.HTTPConnection, operation: str
) -> None:
    real.restore()
    judge = Judge(CODEDEPLOY)
    valid = requests(CODEDEPLOY, operation, real.pools).map(as_json)

    @FUZZ
    @given(valid | valid | spoilt(CODEDEPLOY, operation, real.pools).map(as_json))
    def send(body: bytes) -> None:
        judge.judge(operation, *real.rig.post(f"CodeDeploy_20141006.{operation}", body, connection=to_real))

    send()


@pytest.fixture(scope="module")
def shapes_only() -> Iterator[Rig]:
    """All operations of both services, answered from their shapes: what is tested is everything around handlers."""
    codedeploy = {
        name: Operation(made_up(CODEDEPLOY, name), changes=not name.startswith(("Get", "List", "Batch")))
        for name in CODEDEPLOY["operations"]
        if "errors" in CODEDEPLOY["operations"][name]
    }
    codedeploy["DeleteResourcesByExternalId"] = Operation(lambda call: {}, changes=True)
    commands = {name: made_up_async(COMMANDS, name) for name in COMMANDS["operations"]}
    with Rig(codedeploy, commands) as rig:
        yield rig


@pytest.fixture(scope="module")
def connection(shapes_only: Rig) -> Iterator[http.client.HTTPConnection]:
    connection = shapes_only.connection()
    yield connection
    connection.close()


@pytest.mark.parametrize("operation", sorted(CODEDEPLOY["operations"]))
def test_codedeploy_answers_whatever_is_sent(
    shapes_only: Rig, connection: http.client.HTTPConnection, operation: str
) -> None:
    judge = Judge(CODEDEPLOY)

    @FUZZ
    @given(requests(CODEDEPLOY, operation).map(as_json) | spoilt(CODEDEPLOY, operation).map(as_json) | RAW)
    def send(body: bytes) -> None:
        target = f"{CODEDEPLOY['metadata']['targetPrefix']}.{operation}"
        judge.judge(operation, *shapes_only.post(target, body, connection=connection))

    send()


@pytest.mark.parametrize("operation", sorted(COMMANDS["operations"]))
def test_the_command_api_answers_whatever_is_sent(
    shapes_only: Rig, connection: http.client.HTTPConnection, operation: str
) -> None:
    judge = Judge(COMMANDS)

    @FUZZ
    @given(
        st.sampled_from(["CodeDeployCommandService_v20141006", "CodeDeployCommandService"]),
        requests(COMMANDS, operation).map(as_json) | spoilt(COMMANDS, operation).map(as_json) | RAW,
    )
    def send(prefix: str, body: bytes) -> None:
        judge.judge(operation, *shapes_only.post(f"{prefix}.{operation}", body, role="host", connection=connection))

    send()


def test_valid_requests_are_not_refused_for_their_shape(
    shapes_only: Rig, connection: http.client.HTTPConnection
) -> None:
    """The fuzz would be worth little if nothing got as far as a handler."""
    judge, reached = Judge(CODEDEPLOY), 0

    @FUZZ
    @given(st.sampled_from(sorted(CODEDEPLOY["operations"])), st.data())
    def send(operation: str, data: st.DataObject) -> None:
        nonlocal reached
        body = as_json(data.draw(requests(CODEDEPLOY, operation)))
        answer = shapes_only.post(f"CodeDeploy_20141006.{operation}", body, connection=connection)
        assert judge.judge(operation, *answer) not in ("SerializationException", "ValidationException")
        reached += answer[0] == 200

    send()
    assert reached >= EXAMPLES / 3
