"""The checks of a manifest: what they are, and who looks at which."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from runner.model.checks import AlarmCheck, Alarms, Check, HttpCheck
from runner.model.duration import parse_duration
from runner.model.rollout import CheckStep, HoldStep, RetireStep, Rollout, ShiftStep
from runner.schema import did_you_mean

Path: TypeAlias = tuple[Any, ...]
Report: TypeAlias = Callable[[Path, str], None]


_LONGEST = 60  # seconds that one request may take: a rollout should stop within a minute


class Checks:
    """The checks that one group's view has, by name. *names*: of all that the manifest has, for suggestions.

    *data* has passed the schema.
    """

    def __init__(self, data: dict[str, Any], names: Iterable[str], report: Report) -> None:
        self._names, self._report = list(names), report
        self._checks = {name: self._read(name, each) for name, each in data.items()}

    def _read(self, name: str, data: dict[str, Any]) -> Check:
        if "cloudwatch_alarm" in data:
            return AlarmCheck(name=data["cloudwatch_alarm"])
        seconds = int(parse_duration(data.get("timeout", "10s")).total_seconds())
        if not 1 <= seconds <= _LONGEST:
            self._report(("checks", name, "timeout"), f"expected a duration from 1s to {_LONGEST}s")
        return HttpCheck(url=data["http"], expect=data.get("expect", 200), timeout=seconds)

    def of_rollout(self, rollout: Rollout) -> dict[str, Check]:
        """Those that its steps name. Reports names of no check."""
        named = {name: path for path, name in _named(rollout)}
        return {name: check for name, path in named.items() if (check := self._find(name, path)) is not None}

    def of_group(self, names: Iterable[str], path: Path) -> Alarms | None:
        """The alarms of a whole deployment. *path*: where the *names* stand."""
        found = [self._alarm(name, (*path, index)) for index, name in enumerate(names)]
        alarms = tuple(name for name in found if name is not None)
        return Alarms(names=alarms) if alarms else None

    def _alarm(self, name: str, path: Path) -> str | None:
        check = self._find(name, path)
        if isinstance(check, HttpCheck):
            self._report(
                path, f"{name} is an HTTP request; only alarms can watch a whole deployment: name it in a step"
            )
            return None
        return check.name if check else None

    def _find(self, name: str, path: Path) -> Check | None:
        if name not in self._checks:
            self._report(path, f"there is no check {name}{did_you_mean(name, self._names)}")
        return self._checks.get(name)


def _named(rollout: Rollout) -> Iterator[tuple[Path, str]]:
    """Every name of a check in the steps, with its path in the manifest."""
    for index, step in enumerate(rollout.steps):
        verb = {CheckStep: "check", HoldStep: "hold", ShiftStep: "shift", RetireStep: "retire"}.get(type(step))
        if verb is None or not isinstance(step, CheckStep | HoldStep | ShiftStep | RetireStep):
            continue
        path: Path = ("rollouts", rollout.name, "steps", index, verb)
        for position, name in enumerate(step.checks):
            yield (*path, position) if verb == "check" else (*path, "checks", position), name
