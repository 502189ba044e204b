"""Deployments whose traffic moves, in a time of their own: store, driver and platforms as they are, AWS in memory.

    simulation = Simulation(folder, side, Happenings(calls={7: "crash after"}, rests={0: "stop"}))
    made = simulation.deploy()
    await simulation.run()                      # until everything has ended; processes die and others take over
    assert not simulation.wrong

What happens is said by number: at the n-th call of AWS, whoever makes it, at the n-th moment at which nothing is under way
and only time can pass, at the n-th time that the driver has something to record or gets something to do.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from execute.mortal_process import Killed, Process
from fakes.sources import FakeSources
from store_cases import PIPELINE, begin_with_tables, group, manifest
from structlog.testing import capture_logs

from runner.aws import AwsError
from runner.execute.prepare_traffic import prepare_traffic
from runner.model.deployment import Deployment, ErrorInformation, Options
from runner.model.program import Task
from runner.model.revision import Revision
from runner.model.work import PreparationFailed, Prepare, PreparedTraffic, Wish
from runner.platforms.hooks import WithHooks
from runner.ports import TrafficPlatform
from runner.store.logs import LogFiles
from runner.store.store import Store

PEOPLE = ("stop", "stop and go back", "alarm", "stranger")
WORLD = ("throttled", "unanswered before", "unanswered after", "crash before", "crash after")
DENIED = "denied"
CONTINUE, HALF_WAY = "continue", "half way"

_MOST_LIVES, _MOST_RESTS = 40, 60
_LONGEST = dt.timedelta(hours=16)  # more than the 12 hours and the waits that the engine gives a deployment
_ALARM = ErrorInformation(code="ALARM_ACTIVE", message="errors is in state ALARM")


class Side(Protocol):
    """One kind of AWS: the fake, what is deployed to it, and what must always hold there.

    *meddle*: somebody else changes what the deployment works on; False where he cannot at this moment. *before* and
    *after* are called around every call that takes effect. Both, and whatever else looks, put into *wrong* what must not be.
    """

    wrong: list[str]
    simulation: "Simulation"

    def call(self, *given: Any, **limits: Any) -> dict[str, Any]: ...
    def pages(self, *given: Any, **limits: Any) -> list[Any]: ...
    def now(self) -> dt.datetime: ...
    def advance(self, seconds: float) -> None: ...
    def platform(self, aws: Any) -> TrafficPlatform: ...
    def wish(self) -> tuple[Revision, dict[str, Any]]: ...
    def meddle(self, operation: str) -> bool: ...
    def before(self, operation: str, params: Mapping[str, Any]) -> None: ...
    def after(self, operation: str, params: Mapping[str, Any]) -> None: ...


@dataclass
class Happenings:
    """See above. *calls*: of `WORLD`, `PEOPLE`, `DENIED`; *rests*: of `PEOPLE`, `CONTINUE`, `HALF_WAY`; *saves*: `crash
    before` and `crash after`."""

    calls: dict[int, str] = field(default_factory=dict)
    rests: dict[int, str] = field(default_factory=dict)
    saves: dict[int, str] = field(default_factory=dict)


class Simulation:
    """*met*: the deployment that was under way, and what of the decisive things happened to it. *continued*: the waits that
    somebody cut short. *acting*: the act under way.
    """

    def __init__(self, folder: Path, side: Side, happenings: Happenings) -> None:
        begin_with_tables(folder)
        self.store, self.logs = Store(folder, PIPELINE), LogFiles(folder / "logs")
        self.side, self._happenings = side, happenings
        side.simulation = self
        self.met: list[tuple[str, str]] = []
        self.continued: set[str] = set()
        self.acting: Task | None = None
        self.lives = 0
        self._calls = self._rests = self._saves = 0
        self._last: dict[str, set[tuple[str, str, str, int]]] = {}  # acts that may still run after a stop
        self._began = side.now()

    @property
    def wrong(self) -> list[str]:
        return self.side.wrong

    def deploy(self, **settings: Any) -> str:
        revision, more = self.side.wish()
        platform = more["platform"]
        one = manifest(group("live", **more, **settings), platform=platform)
        return self.store.create_releases(
            "shop", [Wish(manifest=one, revision=revision)], "user", Options(), self.side.now()
        )[0]

    def ended(self, deployment_id: str) -> list[Deployment]:
        """The deployment, and the one that rolled it back where there was one."""
        found = self.store.deployment(deployment_id)
        back = found.rollback and found.rollback.rollback_deployment_id
        return [found, *([self.store.deployment(back)] if back else [])]

    async def run(self) -> None:
        """Until every deployment has ended, or something is wrong."""
        with capture_logs() as logged:
            await self._live_on()
        bugs = (each for each in logged if each["event"].endswith("with a bug"))
        self.wrong.extend(str(each) for each in bugs if not isinstance(each["exc_info"], Killed))

    def close(self) -> None:
        self.store.close()

    # For the process of this moment.

    def platform(self, aws: Any) -> TrafficPlatform:
        """As `wiring` stacks them: the hooks, of which there are none here, are not the platform's."""
        return _Told(WithHooks(self.side.platform(aws), self.store.hooks, aws, self.side.now, serves=True), self)

    def prepare(self, action: Prepare, platform: TrafficPlatform) -> PreparedTraffic | PreparationFailed:
        return prepare_traffic(action, FakeSources(), platform)

    def saving(self) -> str | None:
        self._saves += 1
        return self._now("saves", self._saves - 1)

    def carry_out(
        self, operation: str, params: Mapping[str, Any], ask: Callable[[], Any], die: Callable[[], None]
    ) -> Any:
        """A call of AWS, and what happens at it."""
        event = self._now("calls", self._calls)
        self._calls += 1
        if event in PEOPLE:
            self._meet(event, operation)
        if event == DENIED:
            self._note(self._under_way(), event)
        if event == "crash before":
            die()
        self._perhaps(event, {"throttled": _throttled, "unanswered before": _unanswered, DENIED: _denied})
        if self.acting is None and not operation.startswith(("get_", "list_", "describe_")):
            self.wrong.append(f"{operation} while no act was under way")
        self.side.before(operation, params)
        answer = ask()
        self.side.after(operation, params)
        if event == "crash after":
            die()
        self._perhaps(event, {"unanswered after": _unanswered})
        return answer

    def begins(self, task: Task) -> None:
        if task.key not in self._last.get(task.job.deployment_id, {task.key}):
            self.wrong.append(f"{task.act.event} began though a stop was recorded before")
        self.acting = task

    # Inside.

    async def _live_on(self) -> None:
        for _ in range(_MOST_LIVES):
            self.lives += 1
            if await self._live():
                return
        self.wrong.append("processes died more often than anything was to happen")

    def _now(self, when: str, number: int) -> str | None:
        found: str | None = getattr(self._happenings, when).get(number)
        return found

    def _under_way(self) -> Deployment | None:
        return next((each for each in self.store.deployments() if not each.status.is_terminal), None)

    def _note(self, deployment: Deployment | None, event: str) -> None:
        if deployment is not None:
            self.met.append((deployment.id, event))

    def _perhaps(self, event: str | None, raised: Mapping[str, Callable[[], AwsError]]) -> None:
        """Before a deployment has begun the real `Aws` waits for a minute, so that nobody notices."""
        if event in raised and (self.acting is not None or event == DENIED):
            raise raised[event]()

    async def _live(self) -> bool:
        """One process. False: it died before all was done."""
        process = Process(self)
        process.start()
        try:
            while await process.rests():
                if self.wrong or self._is_over():
                    return True
                self._pass_on(process)
        finally:
            await process.end()
        return bool(self.wrong)

    def _is_over(self) -> bool:
        return all(each.status.is_terminal for each in self.store.deployments())

    def _pass_on(self, process: Process) -> None:
        """Nothing is under way: people do what they do, or time passes."""
        event = self._now("rests", self._rests)
        self._rests += 1
        if process.wake_at is None or self._rests > _MOST_RESTS or self.side.now() - self._began > _LONGEST:
            self.wrong.append(f"it does not end: {self.store.deployments()[0]}")
        elif event in (*PEOPLE, CONTINUE):
            self._meet(event, "")
        else:
            seconds = (process.wake_at - self.side.now()).total_seconds()
            self.side.advance(max(0.0, seconds / 2 if event == HALF_WAY else seconds))
        process.wake()

    def _meet(self, event: str, operation: str) -> None:
        under_way = self._under_way()
        if under_way is None:
            return
        if event == "stranger":
            if self.side.meddle(operation):
                self._note(under_way, event)
        elif event == CONTINUE:
            if under_way.waiting_until is not None and under_way.wait:
                self.store.request_continue(under_way.id, self.side.now())
                self.continued.add(under_way.wait)
        elif event != "alarm":
            self.store.request_stop(under_way.id, self.side.now(), rollback=event == "stop and go back")
            self._is_last(under_way, event)
        elif under_way.creator != "codeDeployRollback" and self.store.watch.failed(
            under_way.id, _ALARM, self.side.now()
        ):
            self._is_last(under_way, event)

    def _is_last(self, deployment: Deployment, event: str) -> None:
        """Whatever of *deployment* is under way now may end; nothing else of it may begin."""
        self._note(deployment, event)
        self._last.setdefault(deployment.id, {self.acting.key} if self.acting else set())


class _Told:
    """A platform that tells the simulation what it does."""

    def __init__(self, platform: TrafficPlatform, simulation: Simulation) -> None:
        self._platform, self._simulation = platform, simulation

    def inspect(self, job: Any) -> Any:
        return self._platform.inspect(job)

    async def act(self, task: Task, report: Any) -> Any:
        self._simulation.begins(task)
        try:
            return await self._platform.act(task, report)
        finally:
            self._simulation.acting = None

    async def close(self) -> None:
        await self._platform.close()


def _throttled() -> AwsError:
    return AwsError("Rate exceeded", code="THROTTLED", operation="any:Any", aws_code="Throttling", retryable=True)


def _unanswered() -> AwsError:
    return AwsError("no answer", code="TIMEOUT", operation="any:Any", retryable=True)


def _denied() -> AwsError:
    return AwsError("no permission", code="IAM_ROLE_PERMISSIONS", operation="any:Any", aws_code="AccessDenied")
