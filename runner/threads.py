"""Waiting for something that blocks, without letting it hold up anything else."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run *call* in a new daemon thread and wait for its end.

    A thread of its own, not one of a pool: a remote that never answers then costs one idle thread, and neither holds up
    other repositories nor keeps the process from ending. When the waiting is cancelled, the call's end goes unnoticed.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)
        else:
            ended.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - whoever awaits decides
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    threading.Thread(target=run, name="penstock-blocking", daemon=True).start()
    return await ended
