"""What was measured, as Markdown: the figures, and how they stand to the goals. Ratios are taken within each round."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.fleet_contenders import ANSIBLE, FIRST, FLOOR, NEXT, PYINFRA, PYINFRA_TAR

HEAD = [
    *("hosts", "batches", "case", "wall s", "min-max", "ms per host"),
    *("x floor", "client CPU ms per host", "hosts' CPU ms per host", "rounds"),
]
GOALS = [
    *("hosts", "batches", "rollout", "x floor (goal: 1.25)", "ansible / ours (30)", "pyinfra / ours (8)"),
    "pyinfra with tar / ours",
    "client CPU ms per host (15)",
]


class Setting(NamedTuple):
    hosts: int
    batches: str

    def __str__(self) -> str:
        return f"{self.hosts} hosts, {self.batches}"


class Measured(NamedTuple):
    """Seconds. *client* and *on_hosts*: CPU time per host; None where it cannot be told."""

    wall: float
    client: float | None
    on_hosts: float | None

    def __str__(self) -> str:
        used = {"here": self.client, "on the host": self.on_hosts}
        cpu = "".join(f", {1000 * value:.1f} ms of CPU per host {where}" for where, value in used.items() if value)
        return f"{self.wall:.2f} s{cpu}"


class Figures:
    """Measurements by setting, row and round."""

    def __init__(self) -> None:
        self._all: dict[Setting, dict[str, dict[int, Measured]]] = {}

    def add(self, setting: Setting, row: str, number: int, measured: Measured) -> None:
        self._all.setdefault(setting, {}).setdefault(row, {})[number] = measured

    def __str__(self) -> str:
        if not self._all:
            return "Nothing was measured."
        settings = sorted(self._all)
        figures = [self._figures(setting, row) for setting in settings for row in self._all[setting]]
        goals = [
            self._goals(setting, row) for setting in settings for row in (FIRST, NEXT) if row in self._all[setting]
        ]
        return _laid_out([HEAD, *figures]) + (f"\n\n{_laid_out([GOALS, *goals])}" if goals else "")

    def _figures(self, setting: Setting, row: str) -> list[str]:
        measured = self._all[setting][row].values()
        walls = [each.wall for each in measured]
        return [
            *map(str, setting),
            row,
            _number(median(walls)),
            f"{_number(min(walls))}-{_number(max(walls))}",
            f"{1000 * median(walls) / setting.hosts:.0f}",
            "" if row == FLOOR else self._ratio(setting, row, FLOOR),
            _milliseconds([each.client for each in measured]),
            _milliseconds([each.on_hosts for each in measured]),
            str(len(walls)),
        ]

    def _goals(self, setting: Setting, row: str) -> list[str]:
        clients = [1000 * (each.client or 0) for each in self._all[setting][row].values()]
        ratios = [(row, FLOOR), (ANSIBLE, row), (PYINFRA, row), (PYINFRA_TAR, row)]
        return [
            *map(str, setting),
            row.partition(", ")[2],
            *(self._ratio(setting, *pair) for pair in ratios),
            f"{median(clients):.1f} ({min(clients):.1f}-{max(clients):.1f})",
        ]

    def _ratio(self, setting: Setting, over: str, under: str) -> str:
        """Median and spread of the ratios of those rounds that have both."""
        above, below = (self._all[setting].get(row, {}) for row in (over, under))
        ratios = [above[number].wall / below[number].wall for number in above if number in below]
        return f"{_number(median(ratios))} ({_number(min(ratios))}-{_number(max(ratios))})" if ratios else ""


def _milliseconds(seconds: Sequence[float | None]) -> str:
    """The median, empty where nothing was counted."""
    told = [1000 * each for each in seconds if each]
    return f"{median(told):,.1f}" if told else ""


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _laid_out(lines: Iterable[Sequence[str]]) -> str:
    lines = [list(line) for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
