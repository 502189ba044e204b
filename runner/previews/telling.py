"""Keeps previews at open pull requests: level-triggered, so that a lost delivery or a death between two steps costs nothing.

A look lists the open pull requests, and tells of those whose head or base has moved since they were told of. What is told
is noted after the forge has it: told twice, it says the same.
"""

import asyncio
import datetime as dt
import hashlib
import random as chance
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from runner.config import RepositoryConfig
from runner.errors import RunnerError, Throttled, WorldError
from runner.log import get_logger
from runner.model.pull_request import Preview, PullRequest
from runner.model.value import to_json
from runner.plan.backoff import Random, backoff
from runner.plan.refs import matches
from runner.ports import Clock
from runner.ports.pull_requests import MergeableRepository, PreviewStore, PullRequests, Told
from runner.previews.making import Maker
from runner.threads import in_thread

EVERY = dt.timedelta(minutes=5)  # without anybody who wakes us
APART = 5.0  # seconds from one look to the next: each is a request, and forges count these
FIRST_RETRY, LONGEST_WAIT = dt.timedelta(seconds=5), dt.timedelta(minutes=15)

log = get_logger()


class Previews:
    """Of the *repositories* that ask for them. *repository*: by name."""

    def __init__(
        self,
        repositories: Iterable[RepositoryConfig],
        repository: Callable[[str], MergeableRepository],
        forge: PullRequests,
        store: PreviewStore,
        maker: Maker,
        clock: Clock,
        *,
        random: Random = chance.random,
        apart: float = APART,
    ) -> None:
        self._configs = {each.name: each for each in repositories if each.report and each.report.pull_requests}
        self._repository, self._forge, self._store, self._maker = repository, forge, store, maker
        self._clock, self._random, self._apart = clock, random, apart
        self._woken = {name: asyncio.Event() for name in self._configs}

    def wake(self, name: str) -> None:
        """Something may be new there. To be called in the loop."""
        if name in self._woken:
            self._woken[name].set()

    async def run(self) -> None:
        """Look at all repositories, and again and again, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._configs:
                tasks.create_task(self._keep(name))
            await asyncio.Event().wait()

    async def once(self) -> None:
        """Look at all of them; what fails is said in the log."""
        await asyncio.gather(*(self._look(name, 1) for name in self._configs))

    def look(self, name: str) -> int:
        """Tell of what is new; returns how many pull requests were told. Blocks.

        One that fails does not hold up the others, unless the forge wants a pause. Raises `WorldError` in the end.
        """
        untold = set[int]()
        try:
            count = self._look_at(name, untold)
        except Exception as error:
            said = error.message if isinstance(error, RunnerError) else f"a bug ({type(error).__name__}); see the log"
            self._store.failed(name, said, len(untold), self._clock())
            raise
        self._store.succeeded(name)
        return count

    def _look_at(self, name: str, untold: set[int]) -> int:
        """*untold*: gets the numbers of those that are to be told, as long as they are not."""
        config, told, failed = self._configs[name], dict(self._store.told(name)), list[WorldError]()
        heads_told = frozenset(each.head for each in told.values())
        wanted = [each for each in self._forge.open(name, heads_told) if _is_watched(each.base_branch, config)]
        self._store.keep(name, [each.number for each in wanted])
        if not wanted:
            return 0
        repository = self._repository(name)
        new = list(_new(wanted, repository.heads(), told))
        untold.update(each.number for each, _ in new)
        count = 0
        for each, base in new:
            try:
                count += self._tell(repository, each, base, told.get(each.number))
                untold.discard(each.number)
            except Throttled:
                raise
            except WorldError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return count

    def _tell(self, repository: MergeableRepository, wanted: PullRequest, base: str, before: Told | None) -> bool:
        """Whether there was anything to tell: that the base has moved alone is none, and happens often."""
        preview = self._maker.preview(repository, wanted, base)
        looked_at = "" if preview.hindrance else _named(wanted, base)  # so that the next look finds it new
        told = Told(wanted.head, looked_at, _hash(preview))
        is_news = before is None or (before.head, before.said) != (told.head, told.said)
        if is_news:
            self._forge.tell(wanted, preview)
            of_this = log.bind(repository=wanted.repository, number=wanted.number)
            of_this.info("pull request told", said=preview.text)
            if preview.hindrance:
                of_this.warning("pull request cannot be looked at; it is tried again", error=preview.hindrance)
        self._store.tell(wanted.repository, wanted.number, told, self._clock())
        return is_news

    async def _keep(self, name: str) -> None:
        woken, failures = self._woken[name], 0
        while True:
            woken.clear()
            error = await self._look(name, failures + 1)
            failures = 0 if error is None else failures + 1
            if isinstance(error, Throttled):
                await asyncio.sleep(self._pause(failures, error))  # whoever wakes us does not shorten this
                continue
            await asyncio.sleep(self._apart)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause(failures, error)):
                    await woken.wait()

    async def _look(self, name: str, failures: int) -> Exception | None:
        """What went wrong, said in the log the first time. *failures*: how many in a row that would be."""
        try:
            await in_thread(partial(self.look, name))
        except Exception as error:
            if not isinstance(error, RunnerError):
                log.error("previews failed by a bug", repository=name, exc_info=error)
            elif failures == 1:
                log.warning("pull requests could not be told; it is tried again", repository=name, error=str(error))
            return error
        return None

    def _pause(self, failures: int, error: Exception | None) -> float:
        """Seconds until the next look, unless somebody wakes us."""
        if error is None:
            return EVERY.total_seconds() * (0.9 + 0.2 * self._random())
        wait = backoff(failures, first=FIRST_RETRY, most=LONGEST_WAIT, random=self._random)
        return max(wait, error.wait if isinstance(error, Throttled) else wait).total_seconds()


def _is_watched(branch: str, config: RepositoryConfig) -> bool:
    return any(matches(each, branch) for each in config.branches)


def _new(
    wanted: Iterable[PullRequest], heads: Mapping[str, str], told: Mapping[int, Told]
) -> Iterator[tuple[PullRequest, str]]:
    """Those whose head or base is another than the one that was told last, with their base."""
    for each in wanted:
        base, before = heads.get(f"refs/heads/{each.base_branch}"), told.get(each.number)
        if base is not None and (before is None or before[:2] != (each.head, _named(each, base))):
            yield each, base


def _named(wanted: PullRequest, base: str) -> str:
    return f"{wanted.base_branch} {base}"


def _hash(preview: Preview) -> str:
    """Of all that is told, but for the commits."""
    return hashlib.sha256(to_json(replace(preview, head="", base="", hindrance="")).encode()).hexdigest()
