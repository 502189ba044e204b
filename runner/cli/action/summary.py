"""An outcome as Markdown, for the page of a workflow's run. Text from elsewhere cannot format anything, nor link."""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from runner.cli.action.outcome import Failure, Outcome, Rollout, TargetRow
from runner.cli.words import count, one_line, printable

MOST_TARGETS = 200  # of one deployment
MOST_FAILURES = 10
MOST_LINES = 20  # of a script's output

_MARKS = {"Succeeded": "✓", "Failed": "✗", "Stopped": "■", "Skipped": "–", "InProgress": "●", "Ready": "●"}
_SPECIAL = re.compile(r"[\\`*_\[\]#!|~@$:]|(?<=www)\.")


def render(outcome: Outcome) -> str:
    """The whole summary."""
    return "\n".join(_lines(outcome)) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"## Penstock: {outcome.status}"
    for note in outcome.notes:
        yield f"\n{_text(note)}"
    if outcome.mistakes:
        yield from ("", "| File | Line | Path | Mistake |", "|-|-|-|-|")
        for each in outcome.mistakes[:MOST_TARGETS]:
            yield _row((_text(each.file), str(each.line or ""), _text(each.path), _text(each.message)))
    for rollout in outcome.rollouts:
        yield from _rollout(rollout)


def _rollout(rollout: Rollout) -> Iterator[str]:
    yield f"\n### {_marked(rollout.status)} {_text(rollout.place)}\n"
    yield from ("| Deployment | Revision | Configuration | Status | Duration |", "|-|-|-|-|-|")
    facts = (rollout.id, rollout.revision, rollout.configuration, rollout.status, rollout.took)
    yield _row([_text(fact) for fact in facts])
    if rollout.rolls_back:
        yield f"\nRolls back {_text(rollout.rolls_back)}."
    if rollout.message:
        yield f"\n{_text(rollout.message)}"
    yield from _targets(rollout.targets)
    for failure in rollout.failures[:MOST_FAILURES]:
        yield from _failure(failure)
    if (hidden := len(rollout.failures) - MOST_FAILURES) > 0:
        yield f"\n… and {count(hidden, 'more failure')}"


def _targets(targets: Sequence[TargetRow]) -> Iterator[str]:
    """A table for those with the same events; where there are too many, those that failed come first."""
    shown = targets
    if len(targets) > MOST_TARGETS:
        shown = sorted(targets, key=lambda target: target.status != "Failed")[:MOST_TARGETS]
    for names, some in groupby(shown, key=lambda target: [event.name for event in target.events]):
        yield ""
        yield _row(["Target", "Status", *map(_text, names)])
        yield "|-" * (2 + len(names)) + "|"
        for target in some:
            cells = [f"{_mark(event.status)} {_text(event.took)}".strip() for event in target.events]
            yield _row([_text(target.name), _marked(target.status), *cells])
    if hidden := len(targets) - len(shown):
        yield f"\n… and {count(hidden, 'more target')}"


def _failure(failure: Failure) -> Iterator[str]:
    script = f": <code>{_html(failure.script)}</code>" if failure.script else ""
    yield ""
    yield f"<details open><summary><b>{_html(failure.target)}</b> failed in {_html(failure.event)}{script}</summary>"
    lines = printable(failure.tail).splitlines()[-MOST_LINES:]
    said = html.escape("\n".join(lines))
    yield ""
    yield f"{_text(failure.message)}"
    yield ""
    if said:
        yield f"<pre>{said}</pre>"
    yield "</details>"


def _marked(status: str) -> str:
    return f"{_mark(status)} {_text(status)}"


def _mark(status: str) -> str:
    return _MARKS.get(status, "·")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Text on one line, as it is: without HTML, formats, links, mentions, or the end of a cell."""
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", _html(text))


def _html(text: str) -> str:
    return html.escape(one_line(text), quote=False)
