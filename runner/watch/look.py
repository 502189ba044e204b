"""One look at one repository, in a thread of its own. Shared by the watchers; when to look is theirs to know."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeAlias

from runner.config import RepositoryConfig
from runner.ports import Observe, Repository
from runner.watch.select import selected

Watched: TypeAlias = tuple[RepositoryConfig, Repository]


def look(config: RepositoryConfig, repository: Repository, observe: Observe) -> None:
    """Ask *repository* for its heads and pass on those that *config* selects. Blocks; raises what either raises."""
    observe(config.name, selected(repository.heads(), config))


async def in_thread(call: Callable[[], None]) -> None:
    """Run *call* in a new daemon thread and wait for it.

    A thread of its own, not one of a pool: a remote that never answers then costs one idle thread, and neither holds up
    other repositories nor keeps the process from ending. When the waiting is cancelled, the call's end goes unnoticed.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            call()
        except BaseException as raised:  # noqa: BLE001 - whoever awaits decides
            error = raised
        try:
            loop.call_soon_threadsafe(settle, error)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    threading.Thread(target=run, name="penstock-watch", daemon=True).start()
    await ended
