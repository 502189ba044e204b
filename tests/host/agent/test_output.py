"""Output on its way to the server, without a server."""

import pytest

from runner.host.agent.errors import Rejected
from runner.host.agent.output import Behind, Output


class Listener:
    """Takes pieces; *answers* are given first, then that all has arrived."""

    def __init__(self, *answers: tuple[str, int | None]) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[str, int, int]] = []

    def __call__(self, text: str, begins: int, ends: int) -> tuple[str, int | None]:
        self.heard.append((text, begins, ends))
        return self.answers.pop(0) if self.answers else ("InProgress", ends)


def test_pieces_wait_for_each_other_and_go_together() -> None:
    listener = Listener()
    output = Output(listener)
    output.take("one\n", 30)
    output.take("two\n", 60)
    assert 0 < (output.seconds_left() or 0) <= 0.1
    output.flush()
    output.flush()
    assert listener.heard == [("one\ntwo\n", 0, 60)]
    assert output.sent == 60
    output.take("three\n", 90)
    output.flush()
    assert listener.heard[1:] == [("three\n", 60, 90)]


def test_much_output_does_not_wait() -> None:
    listener = Listener()
    output = Output(listener)
    output.take("x" * 60000, 100)
    output.take("y" * 60000, 200)
    assert listener.heard == [("x" * 60000, 0, 100)]


def test_a_server_that_has_less_is_given_it_again_but_not_for_ever() -> None:
    listener = Listener(*[("InProgress", 10)] * 4)
    output = Output(listener)
    for _ in range(3):
        output.take("text", 50)
        with pytest.raises(Behind):
            output.flush()
        assert output.sent == 10
        output.drop()
    output.take("text", 50)
    output.flush()
    output.take("more", 90)
    output.flush()
    assert len(listener.heard) == 4
    assert output.seconds_left() is None


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_nothing_more_is_sent_of_a_command_that_is_over(status: str) -> None:
    listener = Listener((status, 0))
    output = Output(listener)
    output.take("one", 10)
    output.flush()
    output.take("two", 20)
    output.flush()
    assert len(listener.heard) == 1


def test_a_server_that_refuses_output_is_left_in_peace() -> None:
    asked = []

    def refuse(text: str, begins: int, ends: int) -> tuple[str, int | None]:
        asked.append(text)
        raise Rejected(400, "ClientException", "no")

    output = Output(refuse)
    for _ in range(3):
        output.take("one", 10)
        output.flush()
    assert asked == ["one"]


def test_silence_is_broken_by_a_sign_of_life() -> None:
    listener = Listener()
    output = Output(listener, silence=0.0)
    output.take("one", 10)
    output.flush()
    output.flush()
    assert listener.heard == [("one", 0, 10), ("", 10, 10)]


def test_what_an_earlier_process_has_sent_is_not_sent_again() -> None:
    output = Output(Listener(("InProgress", 70)))
    output.take("one\ntwo\n", 90)
    with pytest.raises(Behind):
        output.flush()
    assert output.sent == 70
