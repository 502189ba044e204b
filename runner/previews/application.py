"""What merging a pull request does to one application: its groups planned, its manifest compared."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from runner.errors import RunnerError, WorldError
from runner.model.manifest import Manifest
from runner.model.program import TargetSpec
from runner.model.pull_request import ApplicationPreview, GroupPreview
from runner.model.revision import Revision
from runner.model.status import State
from runner.plan.forecast import Forecast, TrafficForecast
from runner.plan.preview import outline
from runner.plan.preview_summary import known_group, unknown_groups
from runner.previews.hiding import hidden, hidden_in_group, unpinned
from runner.previews.merge import Merge
from runner.render.difference import difference

Forecasts: TypeAlias = Callable[
    [Manifest, Revision, Sequence[str], Mapping[str, TargetSpec]], Sequence[Forecast | TrafficForecast]
]
"""Of so many groups of a manifest; asks AWS for nothing. Raises what the deployment would fail with."""


class Applications:
    """Of one *merge*. *environment*: whose values are hidden. *state*: what is deployed now."""

    def __init__(self, forecasts: Forecasts, environment: Mapping[str, str], merge: Merge, state: State) -> None:
        self._forecasts, self._environment, self._merge, self._state = forecasts, environment, merge, state

    def preview(
        self, wanted: Manifest, after: Manifest | None, before: Sequence[Manifest] | None
    ) -> ApplicationPreview:
        """*after*: *wanted*, with names for what the environment holds; None where it has no meaning then. *before*: what
        the base branch has, likewise; None where that cannot be read.
        """
        said = partial(ApplicationPreview, application=wanted.application, file=wanted.file)
        try:
            groups = self._groups(wanted)
        except WorldError:
            raise
        except RunnerError as error:
            return said(refused=hidden(error.message, self._environment))
        if after is None:
            return said(groups=groups, no_difference="its settings depend on values that only the runner knows")
        if before is None:
            return said(groups=groups, no_difference="the manifests of the base branch cannot be read")
        old = next((each for each in before if each.application == wanted.application), None)
        shown, why_not = difference(old, after)
        return said(groups=groups, difference=shown, no_difference=why_not)

    def _groups(self, wanted: Manifest) -> tuple[GroupPreview, ...]:
        merge = self._merge
        revision = unpinned(wanted, merge.repository.name, merge.merged)
        unknown = unknown_groups(wanted)
        names = [each.name for each in wanted.groups if each.name not in unknown]
        seconds, specs = merge.script_seconds(wanted), merge.specs(wanted, revision)
        forecasts = self._forecasts(wanted, revision, names, specs) if names else ()
        known = {
            each.settings.name: known_group(each, names=not merge.wanted.is_fork)
            for each in outline(forecasts, self._state, seconds)
        }
        found = [unknown.get(each.name) or known[each.name] for each in wanted.groups]
        return tuple(hidden_in_group(each, self._environment) for each in found)
