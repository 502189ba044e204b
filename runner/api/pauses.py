"""Full garbage collections, seldom: with ten thousand requests held, one stops the process for a quarter of a second.

They find next to nothing, as what requests leave behind is freed by reference counts; young objects are still looked at
as often as ever. What does end up in old circles is freed a few times an hour.
"""

import asyncio
import gc

EVERY = 900.0  # seconds
_NEVER = 1_000_000  # collections of the middle generation until a full one


async def collect_seldom(every: float = EVERY) -> None:
    """Until cancelled, run full collections every *every* seconds and at no other time. What is there now stays."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(before[0], before[1], _NEVER)
    try:
        while True:
            await asyncio.sleep(every)
            gc.collect()
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
