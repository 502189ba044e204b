"""Identity as clients meet it: boto3 against the endpoint on a real socket, with keys from `penstock keys`."""

import datetime as dt
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from api_rig import Rig
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from identity_door import Door
from signing import wire

from runner.api.call import Call, Operation
from runner.api.identity.limits import Limits
from runner.api.identity.verifier import Verifier
from runner.cli.main import main
from runner.errors import Refused
from runner.ports.identity import SignedRequest
from runner.store.answers import Answers


class Shop:
    """The endpoint with one operation that changes something, one that reads, and keys of every role."""

    def __init__(self, folder: Path, clock: Any, limits: Limits | None) -> None:
        self.door = Door(folder)
        self.made: list[str] = []
        self.issued = {role: self.door.key(role) for role in ("reader", "deployer", "admin")}  # type: ignore[arg-type]
        self.issued["host web-1"] = self.door.key("host", "web-1")
        operations = {
            "CreateApplication": Operation(self._create, changes=True),
            "ListApplications": Operation(lambda call: {"applications": list(self.made)}),
        }
        self.rig = Rig(
            operations,
            {"PollHostCommand": Operation(lambda call: {})},
            identity=Verifier(self.door.keys, clock),
            answers=Answers(self.door.database),
            limits=limits,
            keys={name: (key.principal.access_key_id, key.secret.reveal()) for name, key in self.issued.items()},
        )

    def _create(self, call: Call) -> dict[str, Any]:
        name = call.params["applicationName"]
        if name in self.made:
            raise Refused("ApplicationAlreadyExistsException", f"there is an application {name}")
        self.made.append(name)
        return {"applicationId": f"{name}-{len(self.made)}"}


@contextmanager
def running(folder: Path, clock: Any = lambda: dt.datetime.now(dt.UTC), limits: Limits | None = None) -> Iterator[Shop]:
    shop = Shop(folder, clock, limits)
    with shop.rig:
        yield shop
    shop.door.database.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with running(tmp_path / "state") as made:
        yield made


def error(call: Any, **params: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as failed:
        call(**params)
    response = failed.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def prepared(client: Any, name: str) -> AWSPreparedRequest:
    """What the client sends to create an application, which is not sent."""
    caught: list[AWSPreparedRequest] = []

    class NotSent(Exception):
        pass

    def catch(request: AWSPreparedRequest, **_: Any) -> None:
        caught.append(request)
        raise NotSent

    client.meta.events.register("before-send", catch)
    with pytest.raises(NotSent):
        client.create_application(applicationName=name)
    client.meta.events.unregister("before-send", catch)
    return caught[0]


def send(shop: Shop, request: AWSPreparedRequest, **more: str) -> tuple[int, bytes]:
    headers = dict(request.headers) | {name.replace("_", "-"): value for name, value in more.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", shop.rig.port, timeout=60)) as connection:
        connection.request("POST", "/", request.body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_every_role_gets_what_it_may_and_no_more(shop: Shop) -> None:
    assert shop.rig.client("admin").create_application(applicationName="shop")["applicationId"] == "shop-1"
    for role in ("reader", "deployer", "admin"):
        assert shop.rig.client(role).list_applications()["applications"] == ["shop"]
    for role in ("reader", "deployer"):
        denied = error(shop.rig.client(role).create_application, applicationName="other")
        assert denied == (403, "AccessDeniedException")
    assert shop.made == ["shop"]


@pytest.mark.parametrize("secure", [False, True])
def test_only_a_host_has_the_command_api(shop: Shop, secure: bool) -> None:
    poll = shop.rig.command_client("web-1", secure=secure).poll_host_command
    assert poll(HostIdentifier="web-1")["ResponseMetadata"]["HTTPStatusCode"] == 200
    admin = shop.rig._keys["admin"]
    shop.rig._keys = {"host web-1": admin, "admin": shop.rig._keys["host web-1"]}  # type: ignore[assignment]
    assert error(shop.rig.command_client("web-1", secure=secure).poll_host_command, HostIdentifier="web-1")[0] == 403
    assert error(shop.rig.client("admin").list_applications) == (403, "AccessDeniedException")


def test_a_wrong_secret_an_unknown_key_and_no_key_are_told_apart(shop: Shop) -> None:
    key = shop.issued["admin"].principal.access_key_id
    shop.rig._keys = {"wrong": (key, "x" * 40), "unknown": ("PK" + "A" * 18, "x" * 40)}  # type: ignore[assignment]
    assert error(shop.rig.client("wrong").list_applications) == (403, "InvalidSignatureException")
    assert error(shop.rig.client("unknown").list_applications) == (403, "UnrecognizedClientException")
    status, _, body = shop.rig.post("CodeDeploy_20141006.ListApplications", {}, authorization="")
    assert (status, json.loads(body)["__type"]) == (403, "MissingAuthenticationTokenException")


def test_a_client_whose_clock_is_wrong_is_told_both_times(tmp_path: Path) -> None:
    ahead = dt.timedelta(minutes=6)
    with (
        running(tmp_path / "state", lambda: dt.datetime.now(dt.UTC) + ahead) as shop,
        pytest.raises(ClientError, match=r"Signature expired: \d+T\d+Z is now earlier than \d+T\d+Z"),
    ):
        shop.rig.client().list_applications()


def test_a_key_revoked_on_the_command_line_is_refused_by_the_running_server(shop: Shop) -> None:
    client = shop.rig.client("deployer")
    client.list_applications()
    key = shop.issued["deployer"].principal.access_key_id
    assert main(["--state", str(shop.door.folder), "keys", "revoke", key]) == 0
    assert error(client.list_applications) == (403, "UnrecognizedClientException")
    assert shop.rig.client("reader").list_applications()["applications"] == []


def test_a_key_made_on_the_command_line_works_at_once(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.rig.client().list_applications()
    assert main(["--state", str(shop.door.folder), "--output", "json", "keys", "create", "--role", "reader"]) == 0
    made = json.loads(capsys.readouterr().out)
    shop.rig._keys = {"new": (made["access_key_id"], made["secret_access_key"])}  # type: ignore[assignment]
    assert shop.rig.client("new").list_applications()["applications"] == []


def test_an_identical_request_is_answered_again_and_changes_nothing(shop: Shop) -> None:
    request = prepared(shop.rig.client(), "shop")
    first, again = send(shop, request), send(shop, request)
    assert first == again == (200, b'{"applicationId":"shop-1"}')
    del request.headers["amz-sdk-invocation-id"]
    assert send(shop, request)[0] == 400  # the signature alone is another mark: the application is there by now
    assert send(shop, request)[0] == 400
    assert shop.made == ["shop"]


def test_two_calls_in_a_row_are_two(shop: Shop) -> None:
    client = shop.rig.client()
    client.create_application(applicationName="shop")
    assert error(client.create_application, applicationName="shop") == (400, "ApplicationAlreadyExistsException")


def test_identical_requests_at_the_same_time_are_run_once(shop: Shop) -> None:
    request = prepared(shop.rig.client(), "shop")
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: send(shop, request), range(24)))
    assert set(answers) == {(200, b'{"applicationId":"shop-1"}')}
    assert shop.made == ["shop"]


def test_an_sdk_that_lost_the_answer_sends_again_and_nothing_happens_twice(shop: Shop) -> None:
    with losing_first_answer(shop.rig.port) as (port, lost):
        key, secret = shop.rig._keys["admin"]
        client = boto3.Session(key, secret, region_name="us-east-1").client(
            "codedeploy",
            endpoint_url=f"http://127.0.0.1:{port}",
            config=Config(retries={"total_max_attempts": 3, "mode": "standard"}, proxies={}),
        )
        made = client.create_application(applicationName="shop")
    assert lost[0].endswith(b'{"applicationId":"shop-1"}')
    assert made["ResponseMetadata"]["RetryAttempts"] == 1
    assert (made["applicationId"], shop.made) == ("shop-1", ["shop"])


@contextmanager
def losing_first_answer(server: int) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that keeps the first answer for itself and hangs up. One request a connection."""
    lost: list[bytes] = []

    def exchange(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server), timeout=20) as upstream:
            upstream.sendall(_message(client))
            answer = _message(upstream)
            if lost:
                client.sendall(answer)
            else:
                lost.append(answer)

    def accept() -> None:
        for _ in range(2):
            exchange(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()[1], lost
        thread.join(20)


def _message(connection: socket.socket) -> bytes:
    """One HTTP message with a Content-Length."""
    connection.settimeout(20)
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        sizes = [
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        if end and len(body) >= (sizes or [0])[0]:
            return received
        piece = connection.recv(65536)
        assert piece, "hung up in the middle of a message"
        received += piece


def test_a_key_that_asks_too_much_is_throttled_and_others_are_not(tmp_path: Path) -> None:
    with running(tmp_path / "state", limits=Limits(rate=0.001, burst=3)) as shop:
        client = shop.rig.client("reader")
        for _ in range(3):
            client.list_applications()
        assert error(client.list_applications) == (400, "ThrottlingException")
        assert shop.rig.client("deployer").list_applications()["applications"] == []


@pytest.mark.parametrize("key", ["abc.tgz", "shop/release 1/a+b&c=d.zip", "über/%41/..//x~y", "a" * 500])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_what_boto3_asks_of_s3_is_verified(shop: Shop, key: str, style: str) -> None:
    issued = shop.issued["host web-1"]
    session = boto3.Session(issued.principal.access_key_id, issued.secret.reveal(), region_name="us-east-1")
    config = Config(s3={"addressing_style": style}, proxies={})
    client = session.client("s3", endpoint_url="http://penstock.example:8300", config=config)
    caught: list[AWSPreparedRequest] = []

    class NotSent(Exception):
        pass

    def catch(request: AWSPreparedRequest, **_: Any) -> None:
        caught.append(request)
        raise NotSent

    client.meta.events.register("before-send", catch)
    with pytest.raises(NotSent):
        client.get_object(Bucket="bundles", Key=key, VersionId="v/1+2=")
    address, _, query = caught[0].url.partition("?")
    host, _, path = address.removeprefix("http://").partition("/")
    headers = wire(
        (name, value if isinstance(value, str) else value.decode()) for name, value in caught[0].headers.items()
    )
    request = SignedRequest("GET", f"/{path}", query, [*headers, (b"host", host.encode())], b"")
    assert (
        Verifier(shop.door.keys, lambda: dt.datetime.now(dt.UTC)).identify(request, frozenset({"s3"})).host == "web-1"
    )
