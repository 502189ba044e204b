"""Who gets which message."""

import pytest
from fakes.notifier import FakeNotifier
from fakes.outbox_store import message

from runner.errors import UserError, WorldError
from runner.notify.router import Router

TOPIC = "sns:arn:aws:sns:eu-west-1:111122223333:deploys"


def test_a_destination_in_full_comes_before_its_kind() -> None:
    sns, ops, others = FakeNotifier(), FakeNotifier(), FakeNotifier()
    router = Router({"sns": sns, "webhook:ops": ops, "webhook": others})
    for number, to in enumerate((TOPIC, "webhook:ops", "webhook:dev"), start=1):
        router.send(message(number, to))
    assert (sns.ids(), ops.ids(), others.ids()) == ([1], [2], [3])


def test_a_destination_that_nobody_knows_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"no notifier webhook:op; known are: sns, webhook:ops"):
        Router({"webhook:ops": FakeNotifier(), "sns": FakeNotifier()}).send(message(1, "webhook:op"))
    with pytest.raises(UserError, match="known are: none"):
        Router({}).send(message(1))


def test_a_notifiers_error_is_passed_on() -> None:
    down, error = FakeNotifier(), WorldError("down")
    down.fail("webhook:ops", error)
    with pytest.raises(WorldError) as caught:
        Router({"webhook:ops": down}).send(message(1))
    assert caught.value is error
