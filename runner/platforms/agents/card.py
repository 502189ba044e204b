"""A command under way, as the desk has it in hand."""

import asyncio
import datetime as dt
from typing import Any

import msgspec

from runner.model.command import Outcome
from runner.model.host_command import HostCommand
from runner.platforms.agents.reports import Piece
from runner.ports import Report


class Card:
    """*command*: as it is recorded, or about to be. *asked_at*: when its agent last asked anything about it.

    *report*: takes its output, once somebody wants it; *has*: how much of it that somebody has, in bytes of the host's log.
    """

    __slots__ = ("asked_at", "command", "ended", "has", "report")

    def __init__(self, command: HostCommand) -> None:
        self.command = command
        self.asked_at: dt.datetime | None = command.handed_out_at
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.report: Report | None = None
        self.has = 0

    def change(self, **changes: Any) -> HostCommand:
        self.command = msgspec.structs.replace(self.command, **changes)
        return self.command

    def listen(self, report: Report) -> None:
        """From now on output goes to *report*, from its beginning on: the agent is told to send it again."""
        self.report, self.has = report, 0

    def take(self, piece: Piece) -> int:
        """Take *piece* where it follows what is here. Returns how far that then is."""
        follows = piece.ends > self.has if piece.begins is None else piece.begins == self.has < piece.ends
        if self.report is not None and follows:
            self.report(piece.text)
            self.has = piece.ends
        return self.has

    def is_lost(self, now: dt.datetime, after: dt.timedelta) -> bool:
        """Whether it was handed out so long ago, without a word since, that the agent cannot have received it."""
        command = self.command
        return (
            command.outcome is None
            and command.acknowledged is None
            and self.asked_at is not None
            and self.asked_at + after <= now
        )
