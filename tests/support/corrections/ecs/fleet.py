"""As many running tasks as a task set or a deployment wants, and new ones for those that die."""

from moto.ecs import models

from support.complaints import complain
from support.corrections.ecs.tasks import Order, RunningTask
from support.corrections.ecs.words import note

_PATIENCE = (0.1, 1.5)  # seconds before a task is replaced that failed, first and at most; twice as long every time

FLEETS: dict[str, "Fleet"] = {}
"""By the ID of the task set or deployment."""


class Fleet:
    """*desired*: how many tasks there should be. *launching* False: none is started any more."""

    def __init__(self, backend: models.EC2ContainerServiceBackend, service: models.Service, order: Order) -> None:
        self._backend, self._service, self.order = backend, service, order
        self.desired, self.launching = 0, True
        self.failed = 0  # tasks in a row that failed
        self.tasks: list[RunningTask] = []
        self._not_before = 0.0
        FLEETS[order.owner] = self

    @property
    def pending(self) -> int:
        return sum(task.state == "PENDING" for task in self._wanted())

    @property
    def running(self) -> int:
        return sum(task.state == "RUNNING" for task in self._wanted())

    @property
    def healthy(self) -> int:
        return sum(task.is_healthy() for task in self._wanted())

    def is_steady(self) -> bool:
        """API reference, TaskSet.stabilityStatus"""
        return len(self._wanted()) == self.running == self.healthy == self.desired

    def is_empty(self) -> bool:
        return not self.tasks

    def tick(self, now: float) -> None:
        for task in self.tasks:
            task.watch(now)
        self._bury(now)
        self._stop_surplus()
        if self.launching and now >= self._not_before:
            self._start_missing(now)
        if self.is_steady():
            self.failed = 0

    def end(self) -> None:
        """Kill all of it."""
        for task in self.tasks:
            task.end()

    def _wanted(self) -> list[RunningTask]:
        return [task for task in self.tasks if task.task.desired_status == "RUNNING"]

    def _bury(self, now: float) -> None:
        gone = [task for task in self.tasks if task.state == "STOPPED"]
        self.tasks = [task for task in self.tasks if task.state != "STOPPED"]
        for task in gone:
            if task.failed:
                self._failed(now)
                note(self._service, f"(task {task.id}) stopped: {task.task.stopped_reason}")

    def _failed(self, now: float) -> None:
        first, most = _PATIENCE
        self.failed += 1
        self._not_before = now + min(most, first * 2 ** min(self.failed - 1, 10))

    def _stop_surplus(self) -> None:
        wanted = self._wanted()
        surplus = sorted(wanted, key=lambda task: task.state == "RUNNING")[: max(0, len(wanted) - self.desired)]
        for task in surplus:
            task.stop(f"Scaling activity initiated by (deployment {self.order.owner})")

    def _start_missing(self, now: float) -> None:
        missing = self.desired - len(self._wanted())
        started: list[str] = []
        try:
            for _ in range(missing):
                self.tasks.append(RunningTask(self._backend, self._service, self.order))
                started.append(f"(task {self.tasks[-1].id})")
        except Exception as error:  # noqa: BLE001 - told as ECS tells it
            complain()
            note(self._service, f"was unable to place a task. Reason: {error}.")
            self._failed(now)
        if started:
            note(self._service, f"has started {len(started)} tasks: {' '.join(started)}.")
