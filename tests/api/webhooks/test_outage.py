"""A forge that is in trouble for an hour while its webhooks come: nothing is lost, and it is not asked in vain.

The server is a scripted one on a real socket, asked by the poller that `penstock serve` has; the hour is simulated.
"""

import asyncio
import base64
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from listening import client, listening
from waiting import until
from webhook_rig import PUSH, Door, of_github, read_secret, repository

from runner.api.site import Mounts
from runner.api.webhooks.endpoint import Webhooks
from runner.api.webhooks.follow import Follow
from runner.api.webhooks.hooks import Hooks
from runner.api.webhooks.intake import Intake
from runner.config import Credentials, RepositoryConfig
from runner.model.change import SeenBy
from runner.sources.git import GitRepository
from runner.sources.git.http import SmartHttp
from runner.store.store import Store
from runner.watch.calls import Calls
from runner.watch.poll import Poller

BEGIN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MAIN = "refs/heads/main"


def packet(line: str) -> bytes:
    return b"%04x%s\n" % (len(line) + 5, line.encode())


ADVERTISED = packet("version 2") + packet("ls-refs") + packet("object-format=sha1") + b"0000"


class Forge:
    """A git server. From *trouble* on, for an hour, it answers with *status* and *headers*; then MAIN is at *head*."""

    def __init__(self) -> None:
        self.now, self.head, self.asked = BEGIN, "a" * 40, 0
        self.trouble: dt.datetime | None = None
        self.status, self.headers = 500, ""
        self.login = ""  # what it wants to be shown, in base64; "": nothing
        self.connections = 0

    def clock(self) -> dt.datetime:
        return self.now

    def answer(self, head: bytes) -> bytes:
        self.asked += 1
        if self.trouble is not None and self.trouble <= self.now < self.trouble + HOUR:
            return _reply(self.status, self.headers, b"")
        if self.login and f"Basic {self.login}".encode() not in head:
            return _reply(401, "WWW-Authenticate: Basic\r\n", b"")
        if head.startswith(b"GET"):
            return _reply(200, "", ADVERTISED)
        return _reply(200, "", packet(f"{self.head} {MAIN}") + b"0000")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await _request(reader):
                writer.write(self.answer(head))
        finally:
            self.connections -= 1
            writer.close()


def _reply(status: int, headers: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(sum(int(line.split(b":")[1]) for line in lengths))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    return head


class Site:
    """The listener, the poller and what follows deliveries, as `penstock serve` has them."""

    def __init__(self, forge: Forge, store: Store, door: Door, poller: Poller) -> None:
        self.forge, self.store, self.door, self.poller = forge, store, door, poller

    async def push(self, delivery: str) -> None:
        status, told = await self.door.post("shop", PUSH, of_github(PUSH, delivery=delivery))
        assert (status, told["status"]) == (202, "stored")

    def open(self) -> int:
        return sum(each.open for each in self.store.state().deliveries)

    def changes(self) -> list[tuple[str, str]]:
        """Commits and who saw them, oldest first."""
        return [(each.change.commit_id, each.change.seen_by) for each in reversed(self.store.changes(limit=50))]


@asynccontextmanager
async def site(store: Store, folder: Path, **settings: str) -> AsyncIterator[Site]:
    """*settings*: of the repository's credentials. The poller itself never looks again: only deliveries make it."""
    forge = Forge()
    server = await asyncio.start_server(forge.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/shop.git"
    config = RepositoryConfig(
        name="shop", url=url, interval=HOUR, credentials=Credentials(**settings) if settings else None
    )

    async def rest(seconds: float) -> None:
        forge.now += dt.timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def until_called(calls: Calls, _seconds: float) -> None:
        await calls.rest(3600)

    servers = SmartHttp(forge.clock, lambda config: None)
    tell = store.repository_went
    poller = Poller(
        [(config, GitRepository(config, folder / "mirror"))],
        clock=forge.clock,
        rest=until_called,
        tell=tell,
        quick=servers.of,
    )
    follow = Follow(store.deliveries, forge.clock, random=lambda: 0.5, apart=0.0, late=3600.0, rest=rest)
    hooks = Hooks([repository("shop", "github")], read_secret)
    intake = Intake(store.deliveries, follow.came, forge.clock)

    def observe(seen_by: SeenBy, name: str, heads: Mapping[str, str]) -> None:
        store.observe(name, heads, seen_by, forge.now)

    polling = poller.run(partial(observe, "poll"), partial(observe, "webhook"))
    running = [asyncio.create_task(each) for each in (intake.run(), follow.run(poller), polling)]
    try:
        async with listening(Mounts(webhooks=Webhooks(hooks, intake, forge.clock))) as address, client(address) as made:
            await until(lambda: store.state().repositories != ())
            yield Site(forge, store, Door(made, hooks, None), poller)  # type: ignore[arg-type]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        servers.close()
        server.close()
        await until(lambda: forge.connections == 0)


@pytest.mark.parametrize(
    ("status", "headers", "most"),
    [
        (500, "", 25),  # every look asks, ever more rarely
        (403, "", 25),
        (403, "Retry-After: 3600\r\n", 1),  # it said for how long
        (403, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {end}\r\n", 1),
        (429, "", 25),
    ],
)
async def test_an_hour_of_trouble_loses_nothing_and_is_not_made_worse(
    store: Store, tmp_path: Path, status: int, headers: str, most: int
) -> None:
    async with site(store, tmp_path) as at:
        forge = at.forge
        await at.push("before")
        await until(lambda: at.open() == 0)
        forge.trouble, forge.status = forge.now, status
        forge.headers = headers.format(end=round((forge.now + HOUR).timestamp()))
        forge.head, forge.asked = "b" * 40, 0
        for number in range(5):
            await at.push(f"during-{number}")
        await until(lambda: at.open() == 0)
        end = forge.trouble + HOUR
        assert forge.now >= end
        assert forge.now - end <= dt.timedelta(minutes=6)  # the longest wait between two looks, and its spread
        assert forge.asked <= most + 3  # and then what it speaks, and its refs
        assert at.changes() == [("a" * 40, "poll"), ("b" * 40, "webhook")]
        (state,) = store.state().repositories
        assert (state.failures, state.last_error) == (0, None)


async def test_deliveries_stay_open_and_status_says_why_while_the_trouble_lasts(store: Store, tmp_path: Path) -> None:
    async with site(store, tmp_path) as at:
        at.forge.trouble, at.forge.status = at.forge.now, 500
        told: list[tuple[int, str | None]] = []
        answer = at.forge.answer

        def answering(head: bytes) -> bytes:
            (state,) = store.state().repositories
            told.append((at.open(), state.last_error))
            return answer(head)

        at.forge.answer = answering  # type: ignore[method-assign]
        await at.push("one")
        await until(lambda: at.open() == 0)
        in_trouble = [(open_, error) for open_, error in told if error is not None]
        assert len(in_trouble) > 10  # the first look asks before it knows
        assert all(open_ == 1 and "in trouble (status 500)" in error for open_, error in in_trouble)


async def test_a_token_that_is_revoked_is_told_and_a_new_one_in_its_file_is_enough(
    store: Store, tmp_path: Path
) -> None:
    def basic(password: str) -> str:
        return base64.b64encode(f"robot:{password}".encode()).decode()

    secret = tmp_path / "token"
    secret.write_text("first-token\n")
    async with site(store, tmp_path, username="robot", password=f"file:{secret}") as at:
        at.forge.login = basic("first-token")
        await at.push("one")
        await until(lambda: at.open() == 0)
        at.forge.login, at.forge.head = basic("second-token"), "b" * 40
        await at.push("two")
        await until(lambda: store.state().repositories[0].failures > 0)
        (state,) = store.state().repositories
        assert state.last_error is not None
        assert "access refused; tried the password of 'robot'" in state.last_error
        assert "first-token" not in state.last_error
        assert at.open() == 1
        secret.write_text("second-token\n")
        await until(lambda: at.open() == 0)
        assert at.changes()[-1] == ("b" * 40, "webhook")
        (state,) = store.state().repositories
        assert (state.failures, state.last_error) == (0, None)
