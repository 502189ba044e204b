"""Waits for a condition, not for a time."""

import asyncio
from collections.abc import Callable

_EVERY = 0.005  # seconds


async def until(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    """Return as soon as *condition* holds; fail when it does not within so many seconds."""
    for _ in range(int(within / _EVERY)):
        if condition():
            return
        await asyncio.sleep(_EVERY)
    raise AssertionError(f"waited {within:g} s in vain")
