"""How long and how often Lambda is asked. Tests have a time of their own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """In seconds. *settle*: a read may show what was there so long ago. *limit*: of one act, as of a lifecycle event.

    *patience*: of one call, see `Aws.call`. *nap* blocks, for what runs in a thread.
    """

    settle: float = 5.0
    again: float = 0.5
    slow: float = 2.0
    limit: float = 3600.0
    patience: float = 60.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    nap: Callable[[float], None] = time.sleep


USUAL = Pace()
