"""Ending in good order: signals, and tasks that run beside."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT calls *stop*; a second SIGINT interrupts as usual."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
