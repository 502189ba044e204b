"""Keeps the loop's pauses short: with ten thousand requests held, Python's defaults stop it for a quarter of a second.

Full garbage collections are run seldom. They find next to nothing, as what requests leave behind is freed by reference
counts; young objects are still looked at as often as ever, and those that stay are put away after a second look at a few
of them rather than at thousands. What does end up in old circles is freed a few times an hour.

Threads that write to the database take turns with the loop. Each time the loop has sent or received something it waits
for its turn: at 5 ms, the default, a hundred answers can take half a second while a thread is at work.
"""

import asyncio
import gc
import sys

EVERY = 900.0  # seconds
_NEVER = 1_000_000  # collections of the middle generation until a full one
_YOUNG = 2  # collections of the young generation until one of the middle one
_TURN = 0.0005  # seconds


async def keep_short(every: float = EVERY) -> None:
    """Until cancelled, run full collections every *every* seconds and at no other time. What is there now stays."""
    before, turn = gc.get_threshold(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.set_threshold(before[0], _YOUNG, _NEVER)
    sys.setswitchinterval(_TURN)
    try:
        while True:
            await asyncio.sleep(every)
            gc.collect()
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*before)
        gc.unfreeze()
