"""The desk: commands wait here for the agents of their hosts, and agents for commands.

What an agent does with a command is decided here, in one loop; each decision is durable before the agent hears of it. So
an agent that acknowledges may run a command, once, and nobody else ever does: a command whose handing-out was lost on the
way is handed out anew, and of several handings-out only the first that is acknowledged counts.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, Protocol

from runner.errors import Refused, WorldError
from runner.log import get_logger
from runner.model.command import Command, Outcome
from runner.model.host_command import (
    AgentContact,
    AgentTimeouts,
    CommandStatus,
    HostCommand,
)
from runner.plan.patience import overdue, withdrawn
from runner.platforms.agents import reports
from runner.platforms.agents.card import Card
from runner.platforms.agents.cards import Cards
from runner.platforms.agents.identifiers import (
    REFUSED,
    Place,
    check_host,
    deployment_of,
    execution,
    identifier,
    read_identifier,
)
from runner.platforms.agents.polls import Polls
from runner.platforms.agents.records import Records
from runner.ports import Clock, Report
from runner.ports.agents import Caller, Handed, HostCommandStore, Received

HOLD = 59.5  # seconds that a poll is held; agents give up after 80, and the real service answers after 60
LOST_AFTER = dt.timedelta(seconds=20)  # without a word about what was handed out: its answer never arrived
TICK = 0.5  # seconds
ENDED_AT_ONCE, PAUSE_BETWEEN = 20, 0.02  # polls, seconds: 10,000 that began together end within 10 s
WRITE_CONTACTS = 10.0  # seconds

Registered = Callable[[str], Collection[str]]
"""The ARNs that a host was registered with, and the ID of the EC2 instance that it is."""


class Specifications(Protocol):
    """What is deployed, as agents are given it."""

    async def of(self, deployment_id: str, host: str, *, ours: bool) -> dict[str, Any]:
        """The signed `DeploymentSpecification`. *ours*: with what our own agent wants beside it."""
        ...


class Desk:
    """Implements port `CommandDesk`. `run` must run beside everything else. One desk a store, as there is one driver."""

    def __init__(
        self,
        store: HostCommandStore,
        specifications: Specifications,
        clock: Clock,
        *,
        timeouts: AgentTimeouts = AgentTimeouts(),  # noqa: B008 - frozen
        place: Place = Place(),  # noqa: B008
        registered: Registered = lambda host: (),
        hold: float = HOLD,
        lost_after: dt.timedelta = LOST_AFTER,
        tick: float = TICK,
    ) -> None:
        self._records, self._specifications, self._clock = Records(store), specifications, clock
        self._timeouts, self._place, self._registered = timeouts, place, registered
        self._lost_after, self._tick = lost_after, tick
        self._polls: Polls[Card] = Polls(min(hold, timeouts.heartbeat.total_seconds() / 2))
        self._cards = Cards()
        self._contacts: dict[str, AgentContact] = {}
        self._news: set[str] = set()  # hosts whose contact is not written yet
        self._serving_since = clock()
        self._loaded = asyncio.Event()
        self._draining = self._closed = False
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep time until cancelled: polls end, commands that take too long end, contacts are written."""
        self._serving_since = self._clock()
        await self._load()
        ending = asyncio.create_task(self._end_polls())
        try:
            await self._keep_time()
        finally:
            ending.cancel()
            self._draining = True
            self.close()
            self._write_contacts()
            await self._records.close()

    def drain(self) -> None:
        """Hand out nothing more. Whoever waits for an agent that will find the next server as well is let go (cancelled)."""
        self._draining = True
        for card in self._cards:
            contact = self._contacts.get(card.command.host)
            taken_up = card.command.acknowledged is not None
            if not taken_up or (contact is not None and contact.is_ours):
                card.ended.cancel()

    def close(self) -> None:
        """Answer all polls, empty: their agents ask the next server."""
        self._closed = True
        self._polls.end_all()

    # For the platform.

    async def carry_out(self, command: Command, report: Report) -> Outcome:
        """Have the agent of the command's host carry it out. Asked again, it joins, or returns what is recorded."""
        await self._loaded.wait()
        card = self._cards.find(command.key)
        if card is None:
            known = await self._records.find(command.key)
            if known is not None and known.outcome is not None:
                report(known.outcome.diagnostics.log_tail)
                return known.outcome
            card = self._cards.find(command.key) or self._new(command, known)
        card.listen(report)
        return await asyncio.shield(card.ended)

    def _new(self, command: Command, known: HostCommand | None) -> Card:
        deployment, host, event, attempt = command.key
        card = Card(
            known
            or HostCommand(deployment_id=deployment, host=host, event=event, attempt=attempt, queued_at=self._clock())
        )
        self._cards.add(card)
        if self._draining:
            card.ended.cancel()  # the next process hands it out
        elif card.command.handed_out == 0:
            self._offer(card)
        return card

    def _offer(self, card: Card) -> None:
        """Give *card* to an agent that waits, or let it wait for one."""
        host = card.command.host
        card.asked_at = None
        if not self._draining and self._polls.give(host, card):
            return  # its first record is that it was handed out
        self._cards.queue(card)
        if card.command.handed_out == 0:
            self._records.save(card.command)

    # For agents.

    async def poll(self, caller: Caller) -> Handed | None:
        await self._loaded.wait()
        self._heard(caller)
        while not self._closed:
            card = (None if self._draining else self._cards.next(caller.host)) or await self._wait(caller.host)
            if card is None:
                return None
            if handed := await self._hand_out(card):
                return handed
        return None

    async def _wait(self, host: str) -> Card | None:
        poll = self._polls.hold(host)
        self._find_lost(host)
        try:
            return await poll
        except asyncio.CancelledError:
            if poll.done() and not poll.cancelled() and (card := poll.result()):
                self._polls.release(host, poll)
                self._offer(card)  # it hung up at the moment at which work came
            raise
        finally:
            self._polls.release(host, poll)

    async def _hand_out(self, card: Card) -> Handed | None:
        """None: it has ended meanwhile."""
        now = self._clock()
        number = card.command.handed_out + 1
        try:
            await asyncio.shield(self._records.save(card.change(handed_out=number, handed_out_at=now)))
        except BaseException:
            self._offer(card)
            raise
        if card.command.outcome is not None:
            return None
        card.asked_at = now
        command = card.command
        return Handed(
            identifier(command.key, number),
            execution(command.deployment_id, self._place),
            command.event,
            command.attempt,
        )

    async def specification(self, caller: Caller, execution: str) -> dict[str, Any]:
        await self._loaded.wait()
        self._heard(caller)
        deployment = deployment_of(execution)
        asked = [card for card in self._cards.of(caller.host) if card.command.deployment_id == deployment]
        if not asked:
            raise Refused(REFUSED, f"host {caller.host} has nothing to do for {deployment[:100]!r}")
        for card in asked:
            card.asked_at = card.asked_at and self._clock()
        return await self._specifications.of(deployment, caller.host, ours=caller.version.startswith("penstock/"))

    async def acknowledge(self, caller: Caller, identifier: str) -> CommandStatus:
        self._heard(caller)
        card, number, recorded = await self._about(caller, identifier)
        if card is None:
            if recorded.outcome is not None:
                return recorded.status
            return "InProgress" if recorded.acknowledged == number else "Succeeded"  # nobody wants it any more
        if card.command.outcome is not None:
            return card.command.status
        if card.command.acknowledged is None:
            now = self._clock()
            changed = card.change(acknowledged=number, acknowledged_at=now, status="InProgress")
            try:
                await asyncio.shield(self._records.save(changed))
            except WorldError:
                card.change(acknowledged=None, acknowledged_at=None, status="Pending")
                raise
        else:
            await self._records.settled(card.command.key)
        return "InProgress" if card.command.acknowledged == number else "Succeeded"

    async def complete(self, caller: Caller, identifier: str, status: CommandStatus, payload: str) -> None:
        self._heard(caller)
        if status not in ("Succeeded", "Failed"):
            raise Refused(REFUSED, "CommandStatus should be Succeeded or Failed: a command that is completed has ended")
        card, number, recorded = await self._about(caller, identifier)
        if recorded.outcome is not None:
            await self._records.settled(recorded.key)
            return
        if recorded.acknowledged not in (None, number):
            return  # another handing-out is the one that runs
        outcome = reports.outcome(status, payload)
        if card is None:
            card = self._cards.add(Card(recorded))
        if card.has == 0 and card.report is not None and outcome.diagnostics.log_tail:
            card.report(outcome.diagnostics.log_tail)  # the official agent sends no other output
        await self._end(card, outcome)

    async def update(self, caller: Caller, identifier: str, payload: str) -> Received:
        self._heard(caller)
        piece = reports.piece(payload)
        card, number, recorded = await self._about(caller, identifier)
        if card is None or recorded.outcome is not None or recorded.acknowledged not in (None, number):
            return Received(recorded.status, piece.ends)  # nobody wants it any more
        return Received(recorded.status, card.take(piece))

    async def _about(self, caller: Caller, identifier: str) -> tuple[Card | None, int, HostCommand]:
        """The card if the command is under way, the number of the handing-out, and the command as it is now."""
        await self._loaded.wait()
        key, number = read_identifier(identifier, caller)
        card = self._cards.find(key)
        command = card.command if card else await self._records.find(key)
        if command is None or number > command.handed_out:
            raise Refused(REFUSED, "HostCommandIdentifier is none that was handed out here")
        if card is None and (card := self._cards.find(key)):  # it was taken up meanwhile
            command = card.command
        return card, number, command

    async def _end(self, card: Card, outcome: Outcome) -> None:
        """Record the end of a command; it goes on when whoever reported it hangs up."""
        status: CommandStatus = "Succeeded" if outcome.succeeded else "Failed"
        durable = self._records.save(card.change(status=status, completed_at=self._clock(), outcome=outcome))
        ending = asyncio.create_task(self._ended(card, durable, outcome))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.shield(durable)

    async def _ended(self, card: Card, durable: asyncio.Future[None], outcome: Outcome) -> None:
        try:
            await asyncio.shield(durable)
        except Exception as error:  # noqa: BLE001 - the agent is told, and says it again
            get_logger().error("end of a command not recorded", error=str(error))
            card.change(status="InProgress", completed_at=None, outcome=None)
            return
        self._cards.remove(card)
        if not card.ended.done():
            card.ended.set_result(outcome)

    # Time.

    async def _load(self) -> None:
        self._contacts = {contact.host: contact for contact in await self._records.contacts()} | self._contacts
        for command in await self._records.unfinished():
            card = self._cards.add(Card(command))
            if command.handed_out == 0:
                self._cards.queue(card)
        self._loaded.set()

    async def _end_polls(self) -> None:
        """A few at a time: thousands that end at once come back at once, and whoever has work waits behind them."""
        while True:
            more = self._polls.end_old(ENDED_AT_ONCE)
            await asyncio.sleep(PAUSE_BETWEEN if more else self._tick)

    async def _keep_time(self) -> None:
        loop = asyncio.get_running_loop()
        write_at = loop.time() + WRITE_CONTACTS
        while True:
            for card in self._cards:
                self._look(card)
            await self._withdraw()
            if loop.time() >= write_at:
                self._write_contacts()
                write_at = loop.time() + WRITE_CONTACTS
            await asyncio.sleep(self._tick)

    def _look(self, card: Card) -> None:
        """End a command that takes too long; hand it out anew when its first handing-out was lost."""
        command, now = card.command, self._clock()
        if command.outcome is not None:
            return
        late = overdue(command, self._contacts.get(command.host), self._serving_since, self._timeouts, now)
        if late is not None:
            get_logger().warning(
                "agent too late",
                deployment=command.deployment_id,
                target=command.host,
                lifecycle_event=command.event,
                why=late.diagnostics.message,
            )
            self._end_beside(card, late)
        elif card.is_lost(now, self._lost_after) and not self._draining:
            card.asked_at = None
            if not self._polls.give(command.host, card):
                card.asked_at = now - self._lost_after  # until its agent asks again

    async def _withdraw(self) -> None:
        """Take back what no agent has taken up of deployments that are to stop: nobody need wait for those agents."""
        open_ = [card for card in self._cards if card.command.acknowledged is None and card.command.outcome is None]
        try:
            stopping = await self._records.stopping({card.command.deployment_id for card in open_})
        except WorldError:
            return  # whoever writes says so; the next turn asks again
        for card in open_:
            command = card.command
            if command.deployment_id in stopping and command.acknowledged is None and command.outcome is None:
                self._end_beside(card, withdrawn(command))

    def _end_beside(self, card: Card, outcome: Outcome) -> None:
        ending = asyncio.create_task(self._end(card, outcome))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _find_lost(self, host: str) -> None:
        """An agent polls: what was lost on its way to it can be handed out anew."""
        for card in self._cards.of(host):
            self._look(card)

    def _heard(self, caller: Caller) -> None:
        known = self._contacts.get(caller.host)
        if caller.identifier and (known is None or known.identifier != caller.identifier):
            check_host(caller, self._registered)
        self._contacts[caller.host] = AgentContact(
            host=caller.host,
            at=self._clock(),
            version=caller.version or (known.version if known else ""),
            identifier=caller.identifier or (known.identifier if known else ""),
        )
        self._news.add(caller.host)

    def _write_contacts(self) -> None:
        news, self._news = self._news, set()
        self._records.note({host: self._contacts[host] for host in news})
