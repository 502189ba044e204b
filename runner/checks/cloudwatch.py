"""Alarms of CloudWatch: asked for together, however many deployments and threads want to know."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from runner.aws import Aws, AwsError
from runner.model.aws import AwsPlace
from runner.model.checks import AlarmState, Reading

_AT_ONCE = 100  # names of one DescribeAlarms. Source: CloudWatch API reference
_KINDS = {"MetricAlarms": "MetricAlarm", "CompositeAlarms": "CompositeAlarm"}
_FORGET_AFTER = 600.0  # seconds


class AlarmStates:
    """One for a process; thread-safe. Keeps what it was told for those who ask soon after."""

    def __init__(self, aws: Aws, *, patience: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        """*patience*: seconds for which CloudWatch may be silent, or throttle, before that is a failure."""
        self._aws = aws
        self._patience = patience
        self._now = now
        self._lock = threading.Lock()
        self._places: dict[AwsPlace, _Place] = {}

    def read(
        self,
        place: AwsPlace,
        names: Collection[str],
        *,
        max_age: float = 0.0,
        others: Callable[[], Collection[str]] = lambda: (),
    ) -> Reading:
        """The states of *names*, none older than *max_age* seconds when this is called. Blocks; raises nothing.

        *others*: names to ask for in the same breath, because somebody will want them soon.
        """
        asked_at = self._now()
        with self._lock:
            known = self._places.setdefault(place, _Place())
        with known.lock:
            if not known.covers(names, asked_at - max_age):
                known.take(self._ask(place, sorted({*names, *others()})), self._now())
            return known.reading(names)

    def _ask(self, place: AwsPlace, names: Sequence[str]) -> "_Answer":
        began = self._now()
        states: dict[str, AlarmState] = {}
        try:
            for some in (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)):
                params = {"AlarmNames": some, "AlarmTypes": list(_KINDS.values()), "MaxRecords": _AT_ONCE}
                answer = self._aws.call(place, "cloudwatch", "describe_alarms", params, patience=self._patience)
                states |= {alarm.name: alarm for alarm in _alarms(answer)}
        except AwsError as error:
            return _Answer(self._now(), names, states, error.message)  # an answer to all who waited for it, too
        return _Answer(began, names, states)


class _Answer:
    def __init__(self, at: float, names: Sequence[str], states: dict[str, AlarmState], failure: str = "") -> None:
        self.at, self.names, self.states, self.failure = at, names, states, failure


class _Place:
    """What is known of the alarms at one place, and who asks there: one at a time, so that the others need not."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._by_name: dict[str, _Answer] = {}

    def covers(self, names: Collection[str], since: float) -> bool:
        return all(name in self._by_name and self._by_name[name].at >= since for name in names)

    def take(self, answer: _Answer, now: float) -> None:
        recent = {name: each for name, each in self._by_name.items() if each.at > now - _FORGET_AFTER}
        self._by_name = recent | dict.fromkeys(answer.names, answer)

    def reading(self, names: Collection[str]) -> Reading:
        answers = {name: self._by_name[name] for name in names}
        failure = next((each.failure for each in answers.values() if each.failure), "")
        states = {name: each.states[name] for name, each in answers.items() if name in each.states}
        return Reading(states=states, failure=failure)


def _alarms(answer: dict[str, Any]) -> Iterator[AlarmState]:
    for kind in _KINDS:
        for alarm in answer.get(kind) or ():
            yield AlarmState(name=alarm["AlarmName"], state=alarm["StateValue"], reason=alarm.get("StateReason", ""))
