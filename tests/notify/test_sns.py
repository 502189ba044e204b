"""SNS against a moto server, and against one that answers what moto never would."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from fakes.outbox_store import message
from moto_server import CREDENTIALS, environment, running_moto
from receiver import running_receiver, running_talker

from runner.errors import UserError, WorldError
from runner.notify import sns
from runner.notify.sns import Sns

TOPIC = "arn:aws:sns:eu-west-1:111122223333:deploys"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_moto() as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class Subscription:
    """A topic and the queue that listens to it."""

    def __init__(self, endpoint: str, region: str = "eu-west-1", *, fifo: bool = False) -> None:
        def client(service: str) -> Any:
            return boto3.client(service, region_name=region, endpoint_url=endpoint)

        name = f"deploys-{uuid.uuid4().hex}{'.fifo' if fifo else ''}"
        kind = {"FifoTopic": "true"} if fifo else {}
        self.topic = client("sns").create_topic(Name=name, Attributes=kind)["TopicArn"]
        self._sqs = client("sqs")
        kind = {"FifoQueue": "true"} if fifo else {}
        self._queue = self._sqs.create_queue(QueueName=name, Attributes=kind)["QueueUrl"]
        wanted = ["QueueArn"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=wanted)["Attributes"]["QueueArn"]
        client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def arrived(self) -> list[dict[str, Any]]:
        """The envelopes as a subscriber gets them."""
        taken = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, AttributeNames=["All"])
        return [json.loads(each["Body"]) | {"_": each["Attributes"]} for each in taken.get("Messages", [])]


def test_the_envelope_reads_as_codedeploys(endpoint: str) -> None:
    subscribed = Subscription(endpoint)
    sent = message(17, f"sns:{subscribed.topic}", "DeploymentFailure")
    Sns(endpoint_url=endpoint).send(sent)
    (envelope,) = subscribed.arrived()
    assert envelope["Type"] == "Notification"
    assert envelope["TopicArn"] == subscribed.topic
    assert envelope["Subject"] == sent.subject
    assert json.loads(envelope["Message"]) == sent.body
    assert envelope["MessageAttributes"] == {"event": {"Type": "String", "Value": "DeploymentFailure"}}


def test_the_endpoint_of_the_environment_is_used(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(endpoint).items():
        monkeypatch.setenv(name, value)
    subscribed = Subscription(endpoint)
    Sns().send(message(17, f"sns:{subscribed.topic}"))
    assert len(subscribed.arrived()) == 1


def test_each_topic_is_reached_in_its_own_region(endpoint: str) -> None:
    both = [Subscription(endpoint, region) for region in ("eu-west-1", "us-east-2")]
    notifier = Sns(endpoint_url=endpoint)
    for each in both:
        notifier.send(message(17, f"sns:{each.topic}"))
    assert [len(each.arrived()) for each in both] == [1, 1]


def test_a_fifo_topic_keeps_the_order_and_drops_repetitions(endpoint: str) -> None:
    subscribed = Subscription(endpoint, fifo=True)
    notifier = Sns(endpoint_url=endpoint)
    for number in (17, 18, 18):
        notifier.send(message(number, f"sns:{subscribed.topic}"))
    arrived = subscribed.arrived()
    assert {each["_"]["MessageGroupId"] for each in arrived} == {"d-AB12CD34E"}
    assert len({each["_"]["MessageDeduplicationId"] for each in arrived}) == 2


@pytest.mark.parametrize(
    ("subject", "arrives"),
    [
        ("FAILED: AWS CodeDeploy d-1 in eu-west-1 to " + "x" * 100, "FAILED: AWS CodeDeploy d-1 in eu-west-1 to "),
        ("FAILED: Überraschung\n\tfür alle", "FAILED: ?berraschung??f?r alle"),
    ],
)
def test_a_subject_is_made_to_fit(endpoint: str, subject: str, arrives: str) -> None:
    subscribed = Subscription(endpoint)
    Sns(endpoint_url=endpoint).send(message(17, f"sns:{subscribed.topic}", subject=subject))
    told = subscribed.arrived()[0]["Subject"]
    assert told.startswith(arrives)
    assert len(told) <= 99
    assert told.isascii()


@pytest.mark.parametrize("to", ["sns:deploys", "sns:arn:aws:sqs:eu-west-1:111122223333:deploys", "sns:arn:aws:sns:::x"])
def test_what_is_no_topic_is_the_users_mistake(to: str) -> None:
    with pytest.raises(UserError, match="is not the ARN of an SNS topic"):
        Sns().send(message(17, to))


def test_a_topic_that_does_not_exist_is_the_users_mistake(endpoint: str) -> None:
    with pytest.raises(UserError, match=f"{TOPIC}.*does the topic exist"):
        Sns(endpoint_url=endpoint).send(message(17, f"sns:{TOPIC}"))


def failure(url: str) -> WorldError:
    with pytest.raises(WorldError) as caught:
        Sns(endpoint_url=url).send(message(17, f"sns:{TOPIC}"))
    return caught.value


def test_an_endpoint_that_is_not_there_is_retryable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}").retryable


def test_a_hanging_endpoint_is_given_up_in_time_and_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sns._CONNECT + sns._READ < 10
    monkeypatch.setattr(sns, "_READ", 0.2)

    def hang(connected: socket.socket, over: threading.Event) -> None:
        over.wait(20)

    with running_talker(hang) as url:
        begun = time.monotonic()
        assert failure(url).retryable
        assert time.monotonic() - begun < 10


def test_a_failing_service_is_asked_once_and_retryable() -> None:
    with running_receiver() as receiver:
        receiver.answers = [503]
        assert failure(receiver.url).retryable
        assert len(receiver.received) == 1


def test_missing_credentials_are_retryable_for_they_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    error = failure("http://127.0.0.1:1")
    assert error.retryable
    assert "credentials" in str(error)


def refusal(code: str, status: int) -> bytes:
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>oh</Message></Error></ErrorResponse>"
    ).encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling", 400, "retryable"),
        ("Throttled", 429, "retryable"),
        ("InternalError", 500, "retryable"),
        ("ExpiredToken", 403, "retryable"),
        ("AuthorizationError", 403, "final"),
        ("InvalidClientTokenId", 403, "final"),
        ("SignatureDoesNotMatch", 403, "final"),
        ("KMSAccessDeniedException", 400, "final"),
        ("NotFound", 404, "user"),
        ("InvalidParameter", 400, "user"),
    ],
)
def test_refusals_are_told_apart(code: str, status: int, expected: str) -> None:
    def refuse(connected: socket.socket, over: threading.Event) -> None:
        connected.recv(65536)
        connected.sendall(refusal(code, status))
        over.wait(20)

    with running_talker(refuse) as url:
        if expected == "user":
            with pytest.raises(UserError, match=code):
                Sns(endpoint_url=url).send(message(17, f"sns:{TOPIC}"))
        else:
            error = failure(url)
            assert error.retryable is (expected == "retryable")
            assert TOPIC in str(error)
