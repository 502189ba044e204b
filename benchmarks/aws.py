"""AWS on loopback: calls made by one deployment of each kind, beside the least; and 200 deployments at once on a budget.

The AWS is the tests' own: moto, corrected, in a process that records every call as it takes effect. So this needs a
checkout with its `tests`, and the extra `dev`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.site import folder

if TYPE_CHECKING:
    from benchmarks.aws_calls import Counted
    from benchmarks.aws_many import Measured

RUNS = 1
MANY = 200

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def measure(runs: int, *, small: bool = False) -> str:
    """*runs*: deployments of each kind whose calls are counted. Those at once are done once."""
    from support.cloud import cloud

    from benchmarks import aws_calls, aws_many

    with folder() as place, cloud(place / "cloud") as aws:
        counted = [aws_calls.count(place, aws, case, runs) for case in aws_calls.CASES]
        aws.reset()
        measured = aws_many.measure(place, aws, 10 if small else MANY)
    return "\n\n".join(
        [
            "### aws",
            f"Calls of one deployment, counted where they arrive. Rounds: {runs}. The least: see `benchmarks/aws_calls.py`.",
            *(f"{each.title}:\n\n{_of_calls(each)}" for each in counted),
            f"{len(measured[0].ended)} Lambda deployments at once, each of a function, an alias and an alarm of its own: a "
            "version is published, and the alias moved in two steps. *least s*: the calls that were carried out, at the "
            f"permitted rate. Alarms are looked at every {aws_many.ALARMS_EVERY} s, 100 in one DescribeAlarms.",
            _of_many(measured),
        ]
    )


def _of_calls(counted: "Counted") -> str:
    names = sorted(counted.names, key=lambda name: (name not in counted.changing, name))
    groups = {
        "all that change something": [name for name in names if name in counted.changing],
        "all that read": [name for name in names if name not in counted.changing],
        "all": names,
    }
    lines = [["call", "made", "least"]]
    lines += [[f"`{name}`", counted.made([name]), str(counted.least.get(name, 0))] for name in names]
    lines += [
        [title, counted.made(some), str(sum(counted.least.get(name, 0) for name in some))]
        for title, some in groups.items()
    ]
    return _laid_out(lines)


def _of_many(measured: "Sequence[Measured]") -> str:
    lines = [
        [
            "budget", "cloud lets through", "succeeded", "calls to Lambda", "throttled", "s", "least s", "x least",
            "longest deployment s", "busiest second", "from the third on", "DescribeAlarms", "least",
        ]
    ]  # fmt: skip
    for each in measured:
        lines.append(
            [
                f"{each.run.budget} a second",
                f"{each.run.quota} a second" if each.run.quota else "all",
                f"{each.succeeded} of {len(each.ended)}",
                f"{len(each.to_lambda):,}",
                f"{len(each.to_lambda) - len(each.carried_out):,}",
                f"{each.took:.1f}",
                f"{each.least:.1f}",
                f"{each.took / each.least:.2f}",
                f"{each.longest:.1f}",
                str(each.busiest_second()),
                str(each.busiest_second(after=2.0)),
                str(len(each.looks_at_alarms)),
                str(each.least_looks),
            ]
        )
    return _laid_out(lines)


def _laid_out(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
