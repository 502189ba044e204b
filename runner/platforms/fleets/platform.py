"""The acts on whole fleets in EC2. All of them look before they do anything, so that repeating them changes nothing.

Source: CodeDeploy user guide, "Working with deployment configurations", "Blue/green deployments on EC2".
"""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial

from runner.aws import Aws
from runner.errors import RunnerError
from runner.model.command import FleetTask, Outcome
from runner.model.manifest import GroupSettings
from runner.model.target import Diagnostics, Host
from runner.plan.fleets import ATTACH, PROVISION, TERMINATE, of_fleet
from runner.platforms.fleets.attaching import attach
from runner.platforms.fleets.groups import AutoScaling
from runner.platforms.fleets.provisioning import provision
from runner.platforms.fleets.terminating import terminate
from runner.platforms.fleets.work import Pace, Work
from runner.ports import Clock, Report

HOUR = dt.timedelta(hours=1)


class CloudFleets:
    """Implements port `Fleets`. *instances*: those that a deployment group has in EC2; may block."""

    def __init__(
        self,
        aws: Aws,
        instances: Callable[[GroupSettings], Sequence[Host]],
        clock: Clock,
        *,
        every: float = 5.0,
        limit: dt.timedelta = HOUR,
    ) -> None:
        self._aws, self._instances = aws, instances
        self._pace = Pace(clock, every, limit)

    async def act(self, task: FleetTask, report: Report) -> Outcome:
        work, groups = Work(self._pace, report), AutoScaling(self._aws, task.settings.place)
        try:
            if task.event == PROVISION:
                await provision(work, groups, task)
                found = partial(self._instances, of_fleet(task.settings, task.replacement))
                return Outcome(succeeded=True, hosts=tuple(await work.insist(found)))
            if task.event == ATTACH:
                await attach(work, groups, task)
            elif task.event == TERMINATE:
                await terminate(work, groups, task)
            else:
                raise NotImplementedError(task.event)
        except RunnerError as error:
            code = error.code if error.code.isupper() else "INTERNAL_ERROR"
            diagnostics = Diagnostics(error_code="UnknownError", message=error.message)
            return Outcome(succeeded=False, diagnostics=diagnostics, code=code)
        return Outcome(succeeded=True)
