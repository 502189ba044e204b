"""The fake `Watcher`: looks at its repositories again and again, every few milliseconds."""

import asyncio
from collections.abc import Sequence

from runner.config import RepositoryConfig
from runner.ports import Observe, Repository
from runner.watch.look import look


class FakeWatcher:
    """Looks at each repository every *every* seconds, in the event loop's own thread."""

    def __init__(self, repositories: Sequence[tuple[RepositoryConfig, Repository]], *, every: float = 0.01) -> None:
        self._repositories = repositories
        self._every = every

    async def run(self, observe: Observe) -> None:
        while True:
            for config, repository in self._repositories:
                look(config, repository, observe)
            await asyncio.sleep(self._every)
