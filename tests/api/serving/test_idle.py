"""How long a connection may be idle, with a clock of its own."""

import asyncio
from collections.abc import Callable
from typing import cast

from runner.api.serving.idle import Idle


class Loop:
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self.call_at(self.now + seconds, call)

    def call_at(self, when: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.made += 1
        self.timers.append((when, call))
        return asyncio.TimerHandle(when, call, (), cast("asyncio.AbstractEventLoop", self))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.timers.clear()

    def get_debug(self) -> bool:
        return False

    def pass_to(self, end: float) -> None:
        while self.timers and self.timers[0][0] <= end:
            self.now, call = self.timers.pop(0)
            call()
        self.now = end


def idle(seconds: float) -> tuple[Loop, Idle, list[float]]:
    loop, ended = Loop(), list[float]()
    made = Idle(cast("asyncio.AbstractEventLoop", loop), seconds, lambda: ended.append(loop.now))
    return loop, made, ended


def test_it_ends_its_time_after_the_last_answer() -> None:
    loop, connection, ended = idle(10)
    for when in (0, 4, 8):
        loop.pass_to(when)
        connection.end()
        connection.begin()
    loop.pass_to(100)
    assert ended == [18]


def test_while_a_request_is_worked_on_it_is_not_idle_and_no_timer_is_left() -> None:
    loop, connection, ended = idle(10)
    connection.begin()
    loop.pass_to(5)
    connection.end()
    assert not connection
    loop.pass_to(100)
    assert (ended, loop.timers) == ([], [])
    connection.begin()
    assert connection
    loop.pass_to(200)
    assert ended == [110]


def test_many_requests_share_a_timer() -> None:
    loop, connection, ended = idle(10)
    for _ in range(1000):
        connection.end()
        connection.begin()
    assert (loop.made, ended) == (1, [])


def test_a_connection_that_is_lost_leaves_nothing() -> None:
    loop, connection, ended = idle(10)
    connection.begin()
    connection.cancel()
    loop.pass_to(100)
    assert (ended, loop.timers) == ([], [])
