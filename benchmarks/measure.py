"""Takes samples in turns and lays them out as a table. Knows nothing of what is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple, TypeAlias


class Sample(NamedTuple):
    """One measurement, in seconds. *cpu*: CPU time of every process that took part, None where it cannot be told."""

    wall: float
    cpu: float | None = None


Take: TypeAlias = Callable[[], Mapping[str, Sample]]
"""Does the work once; row names to samples."""


def in_turns(takes: list[Take], runs: int) -> dict[str, list[Sample]]:
    """A B C A B C ...: *runs* samples of each row, in the order in which rows first appeared."""
    rows: dict[str, list[Sample]] = {}
    for _ in range(runs):
        for take in takes:
            for name, sample in take().items():
                rows.setdefault(name, []).append(sample)
    return rows


@dataclass(frozen=True, kw_only=True)
class Table:
    """Samples and how they compare.

    *floors*: row to the row that is its floor. *counts*: column (`hosts/s`) to row to how many of them one sample holds.
    """

    title: str
    about: str
    rows: Mapping[str, list[Sample]]
    floors: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        with_cpu = any(sample.cpu is not None for samples in self.rows.values() for sample in samples)
        head = ["case", "median ms", "min", "max", "x floor", *(["CPU ms", "x floor's"] if with_cpu else [])]
        lines = [[*head, *self.counts], *([*self._cells(name, with_cpu)] for name in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        lines.insert(1, ["-" * width for width in widths])
        laid_out = ("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
        rounds = max(len(samples) for samples in self.rows.values())
        return f"### {self.title}\n\n{self.about} Rounds: {rounds}.\n\n" + "\n".join(laid_out)

    def _cells(self, name: str, with_cpu: bool) -> list[str]:
        walls = [sample.wall for sample in self.rows[name]]
        cells = [name, *map(_ms, (median(walls), min(walls), max(walls))), self._ratio(name, "wall")]
        if with_cpu:
            cpus = [sample.cpu for sample in self.rows[name] if sample.cpu is not None]
            cells += [_ms(median(cpus)) if cpus else "", self._ratio(name, "cpu")]
        for per_sample in self.counts.values():
            cells.append(f"{per_sample[name] / median(walls):,.0f}" if name in per_sample else "")
        return cells

    def _ratio(self, name: str, what: str) -> str:
        """The median of the rounds' ratios: in one round the machine was as busy for the case as for its floor."""
        if name not in self.floors:
            return ""
        pairs = zip(self.rows[name], self.rows[self.floors[name]], strict=True)
        both = [(getattr(case, what), getattr(floor, what)) for case, floor in pairs]
        ratios = [case / floor for case, floor in both if case is not None and floor]
        return f"{median(ratios):.2f}" if ratios else ""


def _ms(seconds: float) -> str:
    milliseconds = 1000 * seconds
    return f"{milliseconds:,.0f}" if abs(milliseconds) >= 100 else f"{milliseconds:.1f}"
