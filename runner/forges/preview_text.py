"""A preview as the text of a comment."""

import datetime as dt
from collections.abc import Iterator

from runner.forges.markdown import Markup, block, fitting, table
from runner.model.duration import format_duration
from runner.model.pull_request import ApplicationPreview, GroupPreview, Preview
from runner.plan.words import count

PLAN = "plan"  # the name of its marker
_MOST_MISTAKES = 50
_MOST_NAMES = 100


def preview_comment(preview: Preview, markup: Markup) -> str:
    """At most what the forge takes. Begins with the marker."""
    return _Comment(preview, markup).text()


class _Comment:
    def __init__(self, preview: Preview, markup: Markup) -> None:
        self._preview, self._markup, self._code = preview, markup, markup.code

    def text(self) -> str:
        first = f"{self._markup.marker(PLAN)}\n\n{self._head()}"
        return fitting(first, list(self._sections()), self._foot(), self._markup.longest)

    def _head(self) -> str:
        whole = len(self._preview.applications) + len(self._preview.more)
        titles = {
            "Deploys": f"Merging this deploys {count(whole, 'application')}",
            "Nothing": "Merging this deploys nothing",
            "Refused": "Merging this deploys nothing: it would be refused",
        }
        if self._preview.state == "Refused" and not (self._preview.mistakes or self._preview.applications):
            return "### What merging this deploys cannot be said"
        return f"### {titles[self._preview.state]}"

    def _sections(self) -> Iterator[str]:
        preview, code = self._preview, self._code
        if preview.state == "Nothing" and preview.text != "merging deploys nothing":
            yield code(preview.text)
        if preview.mistakes:
            shown = [f"- {code(str(each))}" for each in preview.mistakes[:_MOST_MISTAKES]]
            left = len(preview.mistakes) - len(shown)
            yield "\n".join([*shown, f"- and {left} more"] if left else shown)
        yield from map(code, preview.notes)
        if any(each.groups for each in preview.applications):
            yield self._overview()
        yield from map(self._application, preview.applications)
        if preview.more:
            yield f"Deployed too, and not shown in full: {self._names(preview.more)}"
        if preview.gone:
            yield f"Without a manifest from then on, and left as deployed: {self._names(preview.gone)}"

    def _overview(self) -> str:
        rows = [
            (self._code(each.application), self._code(group.name), self._code(group.rollout), *_ends(group))
            for each in self._preview.applications
            for group in each.groups
        ]
        return table(("Application", "Group", "Rollout", "Earliest end", "Latest end"), rows)

    def _application(self, each: ApplicationPreview) -> str:
        name, file = self._code(each.application), self._code(each.file)
        if each.refused:
            return f"{name} ({file}) would be refused:\n\n{block(each.refused)}"
        parts = [f"**{self._code(group.name)}**\n\n{self._facts(group)}" for group in each.groups]
        parts.append(block(each.difference, "diff") if each.difference else f"Settings: {each.no_difference}.")
        return self._markup.folded(f"{name}, {file}", "\n\n".join(parts))

    def _facts(self, group: GroupPreview) -> str:
        return table(("What", "How"), [(self._code(name), self._code(text)) for name, text in group.facts])

    def _names(self, names: tuple[str, ...]) -> str:
        shown = ", ".join(map(self._code, names[:_MOST_NAMES]))
        return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"

    def _foot(self) -> str:
        preview = self._preview
        return self._markup.small(
            f"Penstock, of {preview.head[:10]} merged into {self._code(preview.base_branch)} at {preview.base[:10]}. "
            "The earliest end counts waits only, the latest also every time-out of scripts and hooks. Neither counts "
            "downloads, nor deployments that are under way. Hosts, S3 and registries are not asked."
        )


def _ends(group: GroupPreview) -> tuple[str, str]:
    if group.earliest_end is None:
        return "unknown", "unknown"
    return _after(group.earliest_end), "unknown" if group.latest_end is None else _after(group.latest_end)


def _after(length: dt.timedelta) -> str:
    return f"{format_duration(length)} after the merge" if length else "no waits"
