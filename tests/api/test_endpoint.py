"""The endpoint over a real socket: what it lets in, in which order it judges, and how every answer looks."""

import asyncio
import datetime as dt
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from api_rig import PlainAnswers, Rig, TrustingIdentity
from botocore.config import Config
from botocore.exceptions import ClientError
from structlog.testing import capture_logs
from waiting import until

from runner.api.asgi import CANCELS
from runner.api.awsjson import models
from runner.api.awsjson.exchange import HungUp, read_body
from runner.api.call import AsyncOperation, Call, Operation, Result
from runner.api.endpoint import AT_ONCE
from runner.api.identity.limits import OPEN_POLLS, Limits
from runner.errors import NoInstances, Refused, UserError, WorldError
from runner.model.identity import Principal
from runner.ports.identity import Answer, SignedRequest

GET = "CodeDeploy_20141006.GetApplication"
POLL = "CodeDeployCommandService_v20141006.PollHostCommand"
SHOP = {"applicationName": "shop"}


def echo(call: Call) -> Result:
    return {"application": {"applicationName": call.params["applicationName"], "createTime": call.now}}


def raising(error: Exception) -> Operation:
    def handler(call: Call) -> Result:
        raise error

    return Operation(handler)


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """Status and exception of an answer, whose form is checked."""
    status, headers, body = answer
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert len(headers["x-amzn-requestid"]) == 36
    content = json.loads(body)
    assert set(content) == {"__type", "message"}
    assert content["message"]
    return status, content["__type"]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig({"GetApplication": Operation(echo)}) as rig:
        yield rig


def test_a_call_is_answered(rig: Rig) -> None:
    answer = rig.client().get_application(**SHOP)
    assert answer["application"]["applicationName"] == "shop"
    assert answer["application"]["createTime"].tzinfo
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == answer["ResponseMetadata"]["RequestId"]


def test_every_answer_has_a_request_id_of_its_own(rig: Rig) -> None:
    ids = {rig.post(GET, SHOP)[1]["x-amzn-requestid"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "target",
    [
        "",
        "GetApplication",
        "CodeDeploy_20141006.",
        "CodeDeploy_20141006.Nothing",
        "DynamoDB_20120810.GetItem",
        "CodeDeploy_20141006.GetApplication.x",
        "\xe9" * 3000,
    ],
)
def test_an_unknown_target_is_an_unknown_operation(rig: Rig, target: str) -> None:
    assert told(rig.post(target, "{}")) == (400, "UnknownOperationException")


def test_an_operation_that_nobody_answers_is_not_known(rig: Rig) -> None:
    assert told(rig.post("CodeDeploy_20141006.ListApplications", "{}")) == (400, "UnknownOperationException")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(rig: Rig, method: str) -> None:
    answer = rig.post(GET, "{}", method=method)
    assert told(answer) == (405, "MethodNotAllowedException")
    assert answer[1]["allow"] == "POST"


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/cbor", "application/x-amz-json-1.0"])
def test_other_content_types_are_refused(rig: Rig, kind: str) -> None:
    assert told(rig.post(GET, SHOP, content_type=kind)) == (415, "UnsupportedMediaTypeException")


@pytest.mark.parametrize("kind", ["", "Application/X-Amz-Json-1.1", "application/x-amz-json-1.1; charset=utf-8"])
def test_the_content_type_may_be_absent_or_have_parameters(rig: Rig, kind: str) -> None:
    assert rig.post(GET, SHOP, content_type=kind)[0] == 200


def test_a_client_that_speaks_cbor_is_told_to_use_json(rig: Rig, tmp_path: Path) -> None:
    """A botocore client that has no choice: its model lists CBOR alone."""
    model = models.codedeploy()
    only = {"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor"]}
    home = tmp_path / "codedeploy-by-cbor" / "2014-10-06"
    home.mkdir(parents=True)
    (home / "service-2.json").write_text(json.dumps({**model, "metadata": {**model["metadata"], **only}}))
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(tmp_path))
    client = boto3.Session("PKADMIN", "secret", region_name="us-east-1", botocore_session=session).client(
        "codedeploy-by-cbor",
        endpoint_url=rig.address,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    with pytest.raises(ClientError) as caught:
        client.get_application(**SHOP)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 415
    assert caught.value.response["Error"]["Code"] == "UnsupportedMediaTypeException"
    assert "use JSON" in caught.value.response["Error"]["Message"]


def test_other_paths_are_refused_in_json_to_those_who_speak_it(rig: Rig) -> None:
    assert told(rig.post(GET, SHOP, path="/elsewhere")) == (415, "UnsupportedMediaTypeException")


def test_a_body_of_a_mebibyte_is_read_and_a_larger_one_refused(rig: Rig) -> None:
    request = json.dumps({**SHOP, "padding": ""})
    fitting = request[:-2] + "x" * ((1 << 20) - len(request)) + '"}'
    assert rig.post(GET, fitting)[0] == 200
    answer = rig.post(GET, fitting + " ")
    assert told(answer) == (413, "RequestEntityTooLargeException")
    assert answer[1]["connection"] == "close"


def test_a_caller_that_sends_more_than_is_worth_reading_is_cut_off(rig: Rig) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", rig.port), timeout=60) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        with pytest.raises(OSError):
            while sent < 200 << 20:
                sent += caller.send(b"x" * (1 << 20))
    assert sent < 200 << 20


async def test_a_body_that_does_not_arrive_in_time_is_a_timeout() -> None:
    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Refused) as caught:
        await read_body(never, seconds=0.01)
    assert caught.value.code == "RequestTimeoutException"


async def test_a_body_that_breaks_off_is_nobodys() -> None:
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    with pytest.raises(HungUp):
        await read_body(receive)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("ApplicationDoesNotExistException", "no shop"), 400, "ApplicationDoesNotExistException"),
        (Refused("ThrottlingException", "slowly"), 400, "ThrottlingException"),
        (Refused("AccessDeniedException", "no"), 403, "AccessDeniedException"),
        (NoInstances("a code of deployments, not of calls"), 400, "ValidationException"),
        (UserError("of no particular kind"), 400, "ValidationException"),
        (WorldError("the disk is full"), 503, "ServiceUnavailableException"),
        (RuntimeError("hidden"), 500, "InternalFailure"),
    ],
)
def test_what_a_handler_raises_has_its_status(error: Exception, status: int, code: str) -> None:
    with Rig({"GetApplication": raising(error)}) as rig:
        assert told(rig.post(GET, SHOP)) == (status, code)


def test_a_bug_is_told_to_the_log_and_not_to_the_caller() -> None:
    with capture_logs() as lines, Rig({"GetApplication": raising(RuntimeError("hidden"))}) as rig:
        status, headers, body = rig.post(GET, SHOP)
    assert (status, b"hidden" in body) == (500, False)
    (line,) = [line for line in lines if line["event"] == "call failed"]
    assert line["request_id"] == headers["x-amzn-requestid"]
    assert "RuntimeError: hidden" in line["exception"]
    assert "Credential=" not in repr(lines)


def test_a_refused_call_is_one_line_in_the_log() -> None:
    with capture_logs() as lines, Rig({"GetApplication": Operation(echo)}) as rig:
        rig.post(GET, "{}")
    (line,) = [line for line in lines if line["event"] == "call refused"]
    del line["request_id"]
    assert line == {
        "event": "call refused",
        "log_level": "info",
        "client": "127.0.0.1",
        "operation": "GetApplication",
        "access_key_id": "PKADMIN",
        "code": "ApplicationNameRequiredException",
    }


def test_an_answer_that_does_not_fit_is_a_failure() -> None:
    with Rig({"GetApplication": Operation(lambda call: {"applicaton": {}})}) as rig:
        assert told(rig.post(GET, SHOP)) == (500, "InternalFailure")


def test_unsigned_calls_are_refused(rig: Rig) -> None:
    assert told(rig.post(GET, SHOP, authorization="")) == (403, "MissingAuthenticationTokenException")


def test_identity_gets_the_request_as_it_came() -> None:
    seen: list[tuple[SignedRequest, frozenset[str]]] = []

    class Watching(TrustingIdentity):
        def identify(self, request: SignedRequest, services: frozenset[str]) -> Principal:
            seen.append((request, services))
            return super().identify(request, services)

    with Rig({"GetApplication": Operation(echo)}, identity=Watching()) as rig:
        rig.post(GET, SHOP, path="/?a=b%20c&d")
    request, services = seen[0]
    assert (request.method, request.path, request.query) == ("POST", "/", "a=b%20c&d")
    assert request.body == b'{"applicationName": "shop"}'
    assert (b"x-amz-target", GET.encode()) in list(request.headers)
    assert request.client == "127.0.0.1"
    assert services == {"codedeploy"}


def test_target_then_signature_then_limits_then_role_then_parameters() -> None:
    with Rig({"GetApplication": Operation(echo), "DeleteApplication": Operation(echo)}) as rig:
        assert told(rig.post("nothing", "x", authorization=""))[1] == "UnknownOperationException"
        assert told(rig.post(GET, "x", authorization=""))[1] == "MissingAuthenticationTokenException"
        delete = "CodeDeploy_20141006.DeleteApplication"
        assert told(rig.post(delete, "x", role="reader")) == (403, "AccessDeniedException")
        assert told(rig.post(delete, "x"))[1] == "SerializationException"
    with Rig({"DeleteApplication": Operation(echo)}, limits=Limits(rate=0.001, burst=1)) as rig:
        assert told(rig.post(delete, "x", role="reader"))[1] == "AccessDeniedException"
        assert told(rig.post(delete, "x", role="reader")) == (400, "ThrottlingException")


def test_changes_are_answered_once_and_reads_are_not_recorded() -> None:
    class Recorder(PlainAnswers):
        def __init__(self) -> None:
            self.kept: dict[str, Answer] = {}

        def once(
            self,
            fingerprint: str,
            work: Callable[[], Answer],
            refused: Callable[[UserError], Answer],
            now: dt.datetime,
        ) -> Answer:
            if fingerprint not in self.kept:
                self.kept[fingerprint] = super().once(fingerprint, work, refused, now)
            return self.kept[fingerprint]

    made: list[str] = []

    def create(call: Call) -> Result:
        made.append(call.params["applicationName"])
        if made[-1] == "no":
            raise Refused("ApplicationAlreadyExistsException", "there is one")
        return {"applicationId": str(len(made))}

    recorder = Recorder()
    operations = {"CreateApplication": Operation(create, changes=True), "GetApplication": Operation(echo)}
    with Rig(operations, answers=recorder) as rig:
        target = "CodeDeploy_20141006.CreateApplication"
        first = rig.post(target, SHOP, amz_sdk_invocation_id="1")
        again = rig.post(target, SHOP, amz_sdk_invocation_id="1")
        assert first[2] == again[2] == b'{"applicationId":"1"}'
        assert first[1]["x-amzn-requestid"] != again[1]["x-amzn-requestid"]
        assert rig.post(target, SHOP, amz_sdk_invocation_id="2")[2] == b'{"applicationId":"2"}'
        refusals = [rig.post(target, {"applicationName": "no"}, amz_sdk_invocation_id="3") for _ in range(2)]
        assert [told(answer) for answer in refusals] == [(400, "ApplicationAlreadyExistsException")] * 2
        assert made == ["shop", "shop", "no"]
        rig.post(GET, SHOP)
        assert len(recorder.kept) == 3


def test_handlers_run_in_threads_and_only_so_many_at_a_time() -> None:
    lock, inside, most = threading.Lock(), 0, 0
    full = threading.Event()

    def slow(call: Call) -> Result:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == AT_ONCE:
                full.set()
        assert full.wait(20)
        with lock:
            inside -= 1
        return {}

    with Rig({"GetApplication": Operation(slow)}) as rig, ThreadPoolExecutor(AT_ONCE + 8) as callers:
        answers = list(callers.map(lambda _: rig.post(GET, SHOP)[0], range(AT_ONCE + 8)))
    assert answers == [200] * (AT_ONCE + 8)
    assert most == AT_ONCE


class Desk:
    """Holds polls until it is told to answer; knows how they ended."""

    def __init__(self) -> None:
        self.held = 0
        self.cancelled = 0
        self.calls: list[Call] = []
        self.work = asyncio.Event()

    async def poll(self, call: Call) -> Result:
        self.calls.append(call)
        self.held += 1
        try:
            await self.work.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.held -= 1
        return {"HostCommand": {"HostIdentifier": call.params["HostIdentifier"], "CommandName": "Install"}}


def hold(rig: Rig) -> socket.socket:
    """A poll on a connection of its own, by hand."""
    caller = socket.create_connection(("127.0.0.1", rig.port), timeout=20)
    body = b'{"HostIdentifier": "web-1"}'
    caller.sendall(
        b"POST / HTTP/1.1\r\nhost: x\r\nauthorization: Credential=PKHOST.web-1/\r\nx-amz-target: %b\r\n"
        b"x-amz-codedeploy-agent-version: 1.8.1\r\ncontent-length: %d\r\n\r\n%b" % (POLL.encode(), len(body), body)
    )
    return caller


def answered(caller: socket.socket) -> bytes:
    """The body of the answer on *caller*; head and body may come in pieces."""
    answer = http.client.HTTPResponse(caller)
    try:
        answer.begin()
        return answer.read()
    finally:
        answer.close()


async def test_a_held_poll_is_answered_when_there_is_work() -> None:
    desk = Desk()
    with Rig(commands={"PollHostCommand": AsyncOperation(desk.poll)}) as rig:
        client = rig.command_client("web-1")
        polling = asyncio.create_task(asyncio.to_thread(client.poll_host_command, HostIdentifier="web-1"))
        await until(lambda: desk.held == 1)
        rig.loop.call_soon_threadsafe(desk.work.set)
        assert (await polling)["HostCommand"] == {"HostIdentifier": "web-1", "CommandName": "Install"}
    (call,) = desk.calls
    assert call.principal.host == "web-1"


async def test_a_handler_is_cancelled_when_its_caller_hangs_up() -> None:
    desk = Desk()
    with capture_logs() as lines, Rig(commands={"PollHostCommand": AsyncOperation(desk.poll)}) as rig:
        with hold(rig), hold(rig):
            await until(lambda: desk.held == 2)
            assert desk.calls[0].headers == {"x-amz-codedeploy-agent-version": "1.8.1"}
        await until(lambda: desk.cancelled == 2)
        assert desk.held == 0
        with hold(rig) as again:
            await until(lambda: desk.held == 1)
            rig.loop.call_soon_threadsafe(desk.work.set)
            assert again.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert lines == []


async def test_a_server_that_cancels_by_itself_is_trusted_to() -> None:
    desk = Desk()
    rig = Rig(commands={"PollHostCommand": AsyncOperation(desk.poll)})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"x-amz-target", POLL.encode()), (b"authorization", b"Credential=PKHOST.web-1/")],
        "client": None,
        "extensions": {CANCELS: {}},
    }
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b'{"HostIdentifier": "web-1"}'}

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError("nobody is there to be answered")

    serving = asyncio.create_task(rig.endpoint(scope, receive, send))
    await until(lambda: desk.held == 1)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert (desk.cancelled, asked, scope["headers"]) == (1, 1, [])


async def test_polls_of_one_key_are_bounded_and_none_are_left_over() -> None:
    desk = Desk()
    limits = Limits(rate=0.001, burst=1)  # polls are not counted as requests
    with Rig(commands={"PollHostCommand": AsyncOperation(desk.poll)}, limits=limits) as rig:
        held = [hold(rig) for _ in range(OPEN_POLLS)]
        await until(lambda: desk.held == OPEN_POLLS)
        with hold(rig) as one_more:
            assert b"ThrottlingException" in await asyncio.to_thread(answered, one_more)
        for caller in held:
            caller.close()
        await until(lambda: desk.cancelled == OPEN_POLLS)
        with hold(rig):
            await until(lambda: desk.held == 1)


async def test_the_agents_service_says_server_exception_for_a_bug() -> None:
    async def broken(call: Call) -> Result:
        raise RuntimeError("hidden")

    with Rig(commands={"PollHostCommand": AsyncOperation(broken)}) as rig:
        for secure in (False, True):
            with pytest.raises(ClientError) as caught:
                await asyncio.to_thread(
                    rig.command_client("web-1", secure=secure).poll_host_command, HostIdentifier="web-1"
                )
            assert caught.value.response["Error"]["Code"] == "ServerException"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_only_a_host_may_use_the_command_api() -> None:
    with Rig(commands={"PollHostCommand": AsyncOperation(Desk().poll)}) as rig:
        assert told(rig.post(POLL, {"HostIdentifier": "web-1"}))[1] == "AccessDeniedException"
