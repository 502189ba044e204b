"""Alarms before a deployment touches anything."""

from runner.checks.asking import alarm_names
from runner.checks.cloudwatch import AlarmStates
from runner.model.deployment import Deployment, ErrorInformation
from runner.plan.alarms import alarm_failure
from runner.ports import Clock
from runner.ports.checks import WatchStore


class Before:
    """What preparing a deployment asks. Blocks."""

    def __init__(self, store: WatchStore, alarms: AlarmStates, clock: Clock, max_age: float) -> None:
        self._store, self._alarms, self._clock, self._max_age = store, alarms, clock, max_age

    def check(self, deployment: Deployment) -> ErrorInformation | None:
        """Why *deployment* must not begin; then the store knows it already, and it ends as Stopped. None: it may.

        An answer that is *max_age* seconds old will do, so a hundred deployments that begin together ask once.
        """
        alarms, place = deployment.settings.alarms, deployment.settings.place
        if alarms is None or deployment.creator == "codeDeployRollback":
            return None
        reading = self._alarms.read(
            place,
            alarms.names,
            max_age=self._max_age,
            others=lambda: {
                name for each in self._store.watched() if each.place == place for name in alarm_names(each)
            },
        )
        error = alarm_failure(alarms, reading)
        if error is not None:
            self._store.failed(deployment.id, error, self._clock())
        return error
