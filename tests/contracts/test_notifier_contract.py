"""What every notifier promises, on the fake and on the real ones: SNS on a moto server, webhooks on an HTTP server."""

import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

import boto3
import pytest
from fakes.notifier import FakeNotifier
from fakes.outbox_store import NOON, message
from moto_server import environment, running_moto
from receiver import Receiver, running_receiver

from runner.config import NotifierConfig
from runner.errors import RunnerError, UserError, WorldError
from runner.notify.router import Router
from runner.notify.sns import Sns
from runner.notify.webhook import Webhook
from runner.ports import Notifier


class Destination(Protocol):
    """A place to notify, seen from both ends."""

    notifier: Notifier
    to: str

    def arrived(self) -> list[dict[str, Any]]:
        """The bodies that arrived, each with its subject."""
        ...

    def breaks(self) -> None:
        """From now on it cannot be reached."""

    def refuses(self) -> None:
        """From now on it wants nothing of us."""


class FakeDestination:
    to = "webhook:ops"

    def __init__(self) -> None:
        self.notifier = self.fake = FakeNotifier()

    def arrived(self) -> list[dict[str, Any]]:
        return [{"subject": each.subject, **each.body} for each in self.fake.sent]

    def breaks(self) -> None:
        self.fake.fail(self.to, WorldError("unreachable"))

    def refuses(self) -> None:
        self.fake.fail(self.to, UserError("no such destination"))


class WebhookDestination:
    to = "webhook:ops"

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.notifier: Notifier = Webhook(NotifierConfig(name="ops", url=receiver.url), clock=lambda: NOON)

    def arrived(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.receiver.received]

    def breaks(self) -> None:
        self.receiver.answers = [503]

    def refuses(self) -> None:
        self.receiver.answers = [404]


class SnsDestination:
    def __init__(self, endpoint: str) -> None:
        name = f"deploys-{uuid.uuid4().hex}"
        topic = boto3.client("sns").create_topic(Name=name)["TopicArn"]
        self.sqs = boto3.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.to = f"sns:{topic}"
        self.notifier: Notifier = Sns(endpoint_url=endpoint)

    def arrived(self) -> list[dict[str, Any]]:
        taken = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        envelopes = [json.loads(each["Body"]) for each in taken]
        return [{"subject": each["Subject"], **json.loads(each["Message"])} for each in envelopes]

    def breaks(self) -> None:
        self.notifier = Sns(endpoint_url="http://127.0.0.1:1")

    def refuses(self) -> None:
        boto3.client("sns").delete_topic(TopicArn=self.to.removeprefix("sns:"))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with running_moto() as endpoint:
        yield endpoint


@pytest.fixture(params=["fake", "webhook", "sns"])
def destination(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Destination]:
    match request.param:
        case "fake":
            yield FakeDestination()
        case "webhook":
            with running_receiver() as receiver:
                yield WebhookDestination(receiver)
        case _:
            endpoint = request.getfixturevalue("moto")
            for name, value in environment(endpoint).items():
                monkeypatch.setenv(name, value)
            yield SnsDestination(endpoint)


def test_a_message_arrives_with_its_subject_and_its_body(destination: Destination) -> None:
    sent = message(1, destination.to)
    assert destination.notifier.send(sent) is None
    (arrived,) = destination.arrived()
    assert arrived["subject"] == sent.subject
    assert {key: arrived[key] for key in sent.body} == sent.body


def test_a_message_that_is_sent_twice_arrives_twice(destination: Destination) -> None:
    for _ in range(2):
        destination.notifier.send(message(1, destination.to))
    assert len(destination.arrived()) == 2  # to tell repetitions from news is the receiver's affair


def test_a_destination_that_cannot_be_reached_is_worth_another_attempt(destination: Destination) -> None:
    destination.breaks()
    with pytest.raises(WorldError) as caught:
        destination.notifier.send(message(1, destination.to))
    assert caught.value.retryable


def test_a_destination_that_refuses_is_not_worth_another_attempt(destination: Destination) -> None:
    destination.refuses()
    with pytest.raises(RunnerError) as caught:
        destination.notifier.send(message(1, destination.to))
    assert isinstance(caught.value, UserError) or not getattr(caught.value, "retryable", True)


def test_a_router_hands_on_what_it_is_given(destination: Destination) -> None:
    Router({destination.to.partition(":")[0]: destination.notifier}).send(message(1, destination.to))
    assert len(destination.arrived()) == 1


def test_one_notifier_serves_several_threads(destination: Destination) -> None:
    threads = [
        threading.Thread(target=destination.notifier.send, args=(message(number, destination.to),))
        for number in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(destination.arrived()) == 4
