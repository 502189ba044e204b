"""What the states of alarms mean for a deployment. Pure.

Source: CodeDeploy user guide, "Monitoring deployments with CloudWatch alarms"; insufficient data is no alarm.
"""

from collections.abc import Iterator

from runner.model.checks import AlarmCheck, Alarms, Reading
from runner.model.deployment import ErrorInformation

_LONGEST = 300  # characters of a reason


def alarm_failure(alarms: Alarms, reading: Reading) -> ErrorInformation | None:
    """Why a deployment with *alarms* must stop; None when it may go on."""
    said = [*_active(alarms, reading), *([] if alarms.ignore_poll_failure else _unknown(alarms, reading))]
    return ErrorInformation(code="ALARM_ACTIVE", message="; ".join(said)) if said else None


def check_failure(check: AlarmCheck, reading: Reading) -> str | None:
    """Why *check* fails; None when it passes. One whose alarm nobody can ask for has not passed."""
    failed = alarm_failure(Alarms(names=(check.name,)), reading)
    return failed.message if failed else None


def _active(alarms: Alarms, reading: Reading) -> Iterator[str]:
    for name in alarms.names:
        found = reading.states.get(name)
        if found is not None and found.state == "ALARM":
            yield f"the alarm {name} is in state ALARM" + (f": {found.reason[:_LONGEST]}" if found.reason else "")


def _unknown(alarms: Alarms, reading: Reading) -> Iterator[str]:
    """A poll that failed stops a deployment like an alarm, unless it is told to ignore that."""
    if reading.failure:
        yield f"the state of its alarms ({', '.join(alarms.names)}) cannot be known: {reading.failure}"
        return
    missing = [name for name in alarms.names if name not in reading.states]
    if missing:
        which = f"alarm {missing[0]}" if len(missing) == 1 else f"alarms {', '.join(missing)}"
        yield f"the {which} cannot be read: CloudWatch has none of that name; is the name right, and the region?"
