"""The Server platform: lifecycle events on hosts, each through a session that outlives broken connections."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from runner.errors import WorldError
from runner.log import get_logger
from runner.model.command import Command, Job, Outcome
from runner.model.executor import ExecutorSettings
from runner.model.explanation import Explanation
from runner.model.target import Diagnostics, Host
from runner.platforms.server.explaining import explain
from runner.platforms.server.packs import Packs
from runner.platforms.server.requests import limits_of, options_of, request_for
from runner.platforms.server.session import Progress, Session
from runner.platforms.server.supply import Supply
from runner.platforms.server.transport import Transport, Transports
from runner.ports import Report

_FIRST_PAUSE = 0.05  # seconds; doubled after each failure
_LONGEST_PAUSE = 10.0
_DEFAULTS = ExecutorSettings()


class ServerPlatform:
    """Implements port `Platform`. Keeps one session per deployment and host open between that deployment's events.

    *retry_for*: how long a host may be out of reach before its event fails. *settings*: of the executor on the hosts.
    *packs*: the folder for what is sent of bundles; None: one beside each bundle. *by_content*: send bundles that way to
    local hosts too.
    """

    def __init__(
        self,
        *,
        transport: Transport | None = None,
        retry_for: dt.timedelta = dt.timedelta(minutes=5),
        settings: ExecutorSettings = _DEFAULTS,
        packs: Path | None = None,
        by_content: bool = False,
    ) -> None:
        self._transport = transport or Transports()
        self._retry_for = retry_for.total_seconds()
        self._limits, self._options = limits_of(settings), options_of(settings)
        self._packs, self._by_content = Packs(packs), by_content
        self._idle: dict[tuple[str, str], Session] = {}

    async def run(self, command: Command, report: Report) -> Outcome:
        request = request_for(command, self._limits, self._options, by_content=self._by_content)
        progress = Progress(report)
        outage = _Outage(self._retry_for)
        logged = ""
        while True:
            outage.attempt()
            try:
                return await self._ask(command, request, progress)
            except WorldError as error:
                pause = outage.pause() if error.retryable else None
                if pause is None:
                    return _unreachable(command, error, outage)
                if error.message != logged:  # a host may be away for minutes, and many of them
                    _log(command, error)
                logged = error.message
            await asyncio.sleep(pause)

    async def check(self, job: Job, host: Host) -> Explanation:
        """What deploying *job* would do on *host*, where nothing changes. Raises `WorldError`."""
        command = Command(job=job, host=host, lifecycle_event="Install", attempt=1)
        request = request_for(command, self._limits, self._options, by_content=self._by_content)
        # the folder of a local host is made when somebody connects; a check leaves that alone
        place = msgspec.structs.replace(host, folder="/") if host.transport == "local" else host
        connection = await self._transport.connect(place)
        try:
            return await explain(connection, request, Supply(connection, self._packs, job.bundle))
        finally:
            await connection.close()

    async def close(self) -> None:
        """Let go of all connections; running events go on, on their hosts."""
        sessions, self._idle = list(self._idle.values()), {}
        for session in sessions:
            await session.close()
        await self._transport.close()

    async def _ask(self, command: Command, request: dict[str, Any], progress: Progress) -> Outcome:
        session = await self._session(command)
        try:
            outcome = await session.ask(request, command.job.bundle, progress)
        except BaseException:
            await session.close()
            raise
        await self._keep(command, session)
        return outcome

    async def _session(self, command: Command) -> Session:
        """The idle session of this deployment on this host, or a new one: two who ask at once get one each."""
        kept = self._idle.pop(_place(command), None)
        return kept or Session(await self._transport.connect(command.host), self._packs)

    async def _keep(self, command: Command, session: Session) -> None:
        if command.is_last or _place(command) in self._idle:
            await session.close()
        else:
            self._idle[_place(command)] = session


class _Outage:
    """How long a host has been out of reach, in seconds, and how long to wait before the next attempt."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._now = asyncio.get_running_loop().time
        self._attempted = self._began = self._now()
        self._pause = _FIRST_PAUSE

    def attempt(self) -> None:
        self._attempted = self._now()

    def lasted(self) -> float:
        return self._now() - self._began

    def pause(self) -> float | None:
        """The attempt failed: seconds until the next one, None when it is time to give up."""
        if self._now() - self._attempted > _LONGEST_PAUSE:  # it had held; this is a new outage
            self._began, self._pause = self._now(), _FIRST_PAUSE
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause if self.lasted() + pause <= self._longest else None


def _place(command: Command) -> tuple[str, str]:
    return command.job.deployment_id, command.host.name


def _unreachable(command: Command, error: WorldError, outage: _Outage) -> Outcome:
    tried = f", after trying for {outage.lasted():.0f} s" if error.retryable else ""
    message = f"Host {command.host.name} could not run {command.lifecycle_event}{tried}: {error.message}."
    return Outcome(succeeded=False, diagnostics=Diagnostics(error_code="UnknownError", message=message))


def _log(command: Command, error: WorldError) -> None:
    get_logger().warning(
        "host out of reach, trying again",
        deployment=command.job.deployment_id,
        target=command.host.name,
        lifecycle_event=command.lifecycle_event,
        error=error.message,
    )
