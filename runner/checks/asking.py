"""What is asked for on behalf of many deployments, sorted by whom to ask, and what the answers mean for each of them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck, HttpCheck, Reading
from runner.model.deployment import ErrorInformation
from runner.plan.alarms import alarm_failure, check_failure
from runner.ports.checks import Watched


class Failed(NamedTuple):
    """*step*: of a check, which concerns its step alone; None: of an alarm."""

    deployment_id: str
    error: ErrorInformation
    step: int | None


def alarm_names(watched: Watched) -> set[str]:
    """Those of the whole deployment, and those of its step's checks."""
    checks = {check.name for check in watched.checks.values() if isinstance(check, AlarmCheck)}
    return checks | set(watched.alarms.names if watched.alarms else ())


def by_place(watched: Iterable[Watched]) -> dict[AwsPlace, list[Watched]]:
    found: dict[AwsPlace, list[Watched]] = {}
    for each in watched:
        if alarm_names(each):
            found.setdefault(each.place, []).append(each)
    return found


def by_url(watched: Iterable[Watched]) -> dict[HttpCheck, list[tuple[Watched, str]]]:
    """Who waits for which GET, and under which name."""
    found: dict[HttpCheck, list[tuple[Watched, str]]] = {}
    for each in watched:
        for name, check in each.checks.items():
            if isinstance(check, HttpCheck):
                found.setdefault(check, []).append((each, name))
    return found


def failed_by_alarms(watched: Iterable[Watched], reading: Reading) -> Iterator[Failed]:
    """*reading*: of more alarms than each of *watched* has."""
    for each in watched:
        if each.alarms and (error := alarm_failure(each.alarms, reading)):
            yield Failed(each.deployment_id, error, None)
        for name, check in each.checks.items():
            if isinstance(check, AlarmCheck) and (why := check_failure(check, reading)):
                yield Failed(each.deployment_id, of_check(name, check, why), each.step)


def of_check(name: str, check: AlarmCheck | HttpCheck, why: str) -> ErrorInformation:
    code = "ALARM_ACTIVE" if isinstance(check, AlarmCheck) else "CUSTOMER_APPLICATION_UNHEALTHY"
    return ErrorInformation(code=code, message=f"the check {name} failed: {why}")
