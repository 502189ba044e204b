"""What a runner of GitHub Actions does to a step that is cancelled: SIGINT, SIGTERM 7.5 s later, SIGKILL after 2.5 s more.

So the first one asks for a stop, and everything is written down by then; the second makes us leave.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancelling:
    """*asked*: the workflow was cancelled. *leaving*: there is no more time, or nothing to wait for."""

    def __init__(self) -> None:
        self.asked = False
        self.leaving = asyncio.Event()

    @contextmanager
    def heeded(self, first: Callable[[], None]) -> Iterator[None]:
        """*first* is called once, in the loop, by the first signal if that is SIGINT."""

        def interrupted() -> None:
            if self.asked:
                self.leaving.set()
            else:
                self.asked = True
                first()

        def terminated() -> None:
            self.asked = True
            self.leaving.set()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, interrupted)
        loop.add_signal_handler(signal.SIGTERM, terminated)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
