"""A preview as the text of a comment."""

import datetime as dt
from collections.abc import Iterator

from runner.forges.markdown import block, code, fitting, folded, table
from runner.model.duration import format_duration
from runner.model.pull_request import ApplicationPreview, GroupPreview, Preview
from runner.plan.words import count

MARKER = "<!-- penstock:plan -->"
_MOST_MISTAKES = 50
_MOST_NAMES = 100


def comment(preview: Preview) -> str:
    """At most what GitHub takes. Begins with the marker."""
    return fitting(f"{MARKER}\n{_head(preview)}", list(_sections(preview)), _foot(preview))


def _head(preview: Preview) -> str:
    whole = len(preview.applications) + len(preview.more)
    titles = {
        "Deploys": f"Merging this deploys {count(whole, 'application')}",
        "Nothing": "Merging this deploys nothing",
        "Refused": "Merging this deploys nothing: it would be refused",
    }
    return f"### {titles[preview.state]}"


def _sections(preview: Preview) -> Iterator[str]:
    if preview.state == "Nothing" and preview.text != "merging deploys nothing":
        yield code(preview.text)
    if preview.mistakes:
        shown = [f"- {code(str(each))}" for each in preview.mistakes[:_MOST_MISTAKES]]
        left = len(preview.mistakes) - len(shown)
        yield "\n".join([*shown, f"- and {left} more"] if left else shown)
    yield from map(code, preview.notes)
    if any(each.groups for each in preview.applications):
        yield _overview(preview)
    yield from map(_application, preview.applications)
    if preview.more:
        yield f"Deployed too, and not shown in full: {_names(preview.more)}"
    if preview.gone:
        yield f"Without a manifest from then on, and left as deployed: {_names(preview.gone)}"


def _overview(preview: Preview) -> str:
    rows = [
        (code(each.application), code(group.name), code(group.rollout), *_ends(group))
        for each in preview.applications
        for group in each.groups
    ]
    return table(("Application", "Group", "Rollout", "Earliest end", "Latest end"), rows)


def _application(each: ApplicationPreview) -> str:
    name = code(each.application)
    if each.refused:
        return f"{name} ({code(each.file)}) would be refused:\n\n{block(each.refused)}"
    parts = [f"**{code(group.name)}**\n\n{_facts(group)}" for group in each.groups]
    parts.append(block(each.difference, "diff") if each.difference else f"Settings: {each.no_difference}.")
    return folded(f"{name}, {code(each.file)}", "\n\n".join(parts))


def _facts(group: GroupPreview) -> str:
    return table(("", ""), [(code(name), code(text)) for name, text in group.facts])


def _ends(group: GroupPreview) -> tuple[str, str]:
    if group.earliest_end is None:
        return "unknown", "unknown"
    return _after(group.earliest_end), "unknown" if group.latest_end is None else _after(group.latest_end)


def _after(length: dt.timedelta) -> str:
    return f"{format_duration(length)} after the merge" if length else "no waits"


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(code, names[:_MOST_NAMES]))
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _foot(preview: Preview) -> str:
    return (
        f"<sub>Penstock, of {preview.head[:10]} merged into {code(preview.base_branch)} at {preview.base[:10]}. "
        "The earliest end counts waits only, the latest also every time-out of scripts and hooks. Neither counts "
        "downloads, nor deployments that are under way. Hosts, S3 and registries are not asked.</sub>"
    )
