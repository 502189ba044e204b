"""Repositories that are asked in the event loop: what is recorded, when polls are rare, what happens to the others."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.heads import HeadsOnly
from gitserver import Origin, git, http_server
from waiting import until

from runner.config import RepositoryConfig
from runner.errors import Throttled, WorldError
from runner.sources.git import GitRepository
from runner.sources.git.http import SmartHttp
from runner.watch.calls import Calls
from runner.watch.poll import Poller

BEGIN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
MAIN = "refs/heads/main"


class Reply:
    """Implements `Answer`."""

    def __init__(self, commit_id: str) -> None:
        self._commit_id = commit_id
        self.digest = hashlib.sha256(commit_id.encode()).digest()

    def heads(self) -> dict[str, str]:
        return {MAIN: self._commit_id}


class Script:
    """Implements `QuickRefs`: gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self.left, self.asked = list(answers), 0

    async def ask(self) -> Reply | None:
        self.asked += 1
        current = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(current, Exception):
            raise current
        return Reply(current) if current else None


class Simulated:
    """A poller of one repository in simulated time. *heard*: at which waits, from 1, a webhook speaks."""

    def __init__(self, script: Script, *, slow: HeadsOnly | None = None, heard: tuple[int, ...] = ()) -> None:
        self.now, self.waits, self.seen = BEGIN, list[dt.timedelta](), list[str]()
        self.deaf = False
        self._last_heard: dt.datetime | None = None
        self._heard_at = heard
        config = RepositoryConfig(name="shop", url="https://example.com/shop.git", interval=MINUTE)
        self.poller = Poller(
            [(config, slow or HeadsOnly("shop", unexpected))],
            clock=lambda: self.now,
            random=lambda: 0.5,
            rest=self._rest,
            quick=lambda config: script,
            heard=lambda name: self._last_heard,
        )

    async def _rest(self, calls: Calls, seconds: float) -> None:
        if len(self.waits) == self._rounds:
            self._over = True
            await asyncio.Event().wait()
        self.waits.append(dt.timedelta(seconds=seconds))
        self.now += self.waits[-1] / 2
        if len(self.waits) in self._heard_at:
            self._last_heard = self.now
        self.now += self.waits[-1] / 2

    def observe(self, repository: str, heads: Mapping[str, str]) -> None:
        if self.deaf:
            self.deaf = False
            raise WorldError("no space left on the disk")
        self.seen.append(heads[MAIN])

    async def run(self, rounds: int) -> list[dt.timedelta]:
        """Look so often and once more. Returns the waits between."""
        self._rounds, self._over = rounds, False
        task = asyncio.create_task(self.poller.run(self.observe))
        await until(lambda: self._over)
        task.cancel()
        await asyncio.wait({task})
        return self.waits


def unexpected() -> dict[str, str]:
    raise AssertionError("it is asked in the event loop")


A, B, C = "a" * 40, "b" * 40, "c" * 40


async def test_what_has_not_changed_is_recorded_once() -> None:
    script = Script(A, A, A, B, B, A)
    simulated = Simulated(script)
    await simulated.run(6)
    assert simulated.seen == [A, B, A]


async def test_what_could_not_be_recorded_is_recorded_at_the_next_look() -> None:
    simulated = Simulated(Script(A))
    simulated.deaf = True
    await simulated.run(3)
    assert simulated.seen == [A]
    assert simulated.poller.states()[0].failures == 0


async def test_a_server_that_cannot_be_asked_so_is_asked_in_a_thread_from_then_on() -> None:
    script, slow = Script(None), HeadsOnly("shop", lambda: {MAIN: A})
    await Simulated(script, slow=slow).run(3)
    assert script.asked == 1
    assert slow.asked == 4


async def test_a_pause_that_a_server_asks_for_is_kept_and_is_no_reason_for_back_off() -> None:
    throttled = Throttled("wait", dt.timedelta(seconds=90))
    waits = await Simulated(Script(A, throttled, throttled, A)).run(4)
    assert waits == [MINUTE, MINUTE * 2, MINUTE * 2, MINUTE]  # 90 s, and its place within a minute


async def test_a_repository_whose_webhook_speaks_before_the_polls_is_polled_rarely() -> None:
    waits = await Simulated(Script(A, B, B, C), heard=(1, 3)).run(4)
    assert waits == [MINUTE, MINUTE * 10, MINUTE * 10, MINUTE * 10]


async def test_a_change_that_no_webhook_told_brings_polls_back() -> None:
    waits = await Simulated(Script(A, B, C), heard=(1,)).run(3)
    assert waits == [MINUTE, MINUTE * 10, MINUTE]


async def test_a_webhook_that_speaks_of_nothing_new_proves_nothing() -> None:
    assert await Simulated(Script(A), heard=(1, 2)).run(3) == [MINUTE] * 3


async def test_polling_once_gives_a_quick_one_up_in_its_time() -> None:
    class Hanging:
        async def ask(self) -> Reply | None:
            await asyncio.Event().wait()
            raise AssertionError

    config = RepositoryConfig(name="shop", url="https://example.com/shop.git")
    poller = Poller([(config, HeadsOnly("shop", unexpected))], clock=lambda: BEGIN, quick=lambda config: Hanging())
    (state,) = await poller.poll_once(lambda name, heads: None, within=dt.timedelta(milliseconds=20))
    assert state.last_error == "it did not answer within 0.02 s; is the network, or its host, down?"


# Real git, over HTTP.


@asynccontextmanager
async def watched(tmp_path: Path, protocol_0: bool) -> AsyncIterator[tuple[Origin, dict[str, str], list[str]]]:
    origin = Origin(tmp_path / "origins")
    with http_server(origin.path.parent) as server:
        server.protocol_0 = protocol_0
        config = RepositoryConfig(
            name="shop", url=f"{server.url}/shop.git", tags=("v*",), interval=dt.timedelta(milliseconds=20)
        )
        seen: dict[str, str] = {}

        def observe(repository: str, heads: Mapping[str, str]) -> None:
            seen.clear()
            seen.update(heads)

        servers = SmartHttp(lambda: dt.datetime.now(dt.UTC))
        repository = GitRepository(config, tmp_path / "mirror.git")
        poller = Poller([(config, repository)], clock=lambda: dt.datetime.now(dt.UTC), quick=servers.of)
        task = asyncio.create_task(poller.run(observe))
        try:
            yield origin, seen, server.requests
        finally:
            task.cancel()
            await asyncio.wait({task})
            servers.close()


@pytest.mark.parametrize("protocol_0", [False, True])
async def test_pushes_to_a_real_server_are_seen_by_either_way(tmp_path: Path, protocol_0: bool) -> None:
    async with watched(tmp_path, protocol_0) as (origin, seen, requests):
        first = await asyncio.to_thread(origin.commit, {"a": "1"})
        await until(lambda: seen == {MAIN: first})
        await asyncio.to_thread(git, "tag", "--annotate", "--message=v1", "v1", first, cwd=origin.clone)
        await asyncio.to_thread(git, "push", "--quiet", "origin", "v1", cwd=origin.clone)
        await until(lambda: seen == {MAIN: first, "refs/tags/v1": first})
        second = await asyncio.to_thread(origin.commit, {"a": "2"})
        await until(lambda: seen == {MAIN: second, "refs/tags/v1": first})
        assert (requests[-1].split()[0] == "GET") == protocol_0
