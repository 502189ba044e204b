"""What a rollout would do, told before it happens: the forecast with its earliest and latest end. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from runner.model.deployment import Deployment
from runner.model.manifest import GroupSettings
from runner.model.revision import Revision
from runner.model.status import GroupState, State
from runner.model.value import Value
from runner.plan.batches import Batch, RolloutPlan
from runner.plan.forecast import Forecast, TrafficForecast
from runner.plan.preview_traffic import TrafficOutline, traffic_length, traffic_outline

_NOTHING = dt.timedelta(0)


class PlannedBatch(Value, frozen=True, kw_only=True, tag="batch"):
    """Hosts that are deployed to before the next step."""

    hosts: tuple[str, ...]


class PlannedHold(Value, frozen=True, kw_only=True, tag="hold"):
    """*checks*: names of those that are looked at meanwhile."""

    duration: dt.timedelta
    checks: tuple[str, ...] = ()


class Outline(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One group of hosts. *earliest_end*, *latest_end*: from the moment of `penstock deploy`; None where nobody can say."""

    application: str
    group: str
    revision: Revision
    current: Revision | None
    under_way: str | None
    rollout: str
    minimum_healthy: int
    window: int
    max_failed: int | None
    steps: tuple[PlannedBatch | PlannedHold, ...]
    events: tuple[str, ...]
    settings: GroupSettings
    earliest_end: dt.timedelta
    latest_end: dt.timedelta | None
    replaced: tuple[str, ...] = ()


def outline(
    forecasts: Sequence[Forecast | TrafficForecast], state: State, script_seconds: Mapping[str, int] | None
) -> list[Outline | TrafficOutline]:
    """The groups of one application. *script_seconds*: what the scripts of each event may take on a host; None: unknown."""
    known = {(group.application, group.group): group for group in state.groups}
    forecasts = _without_absent_predecessors(forecasts)
    ends: dict[str, tuple[dt.timedelta, dt.timedelta | None]] = {}
    outlines: list[Outline | TrafficOutline] = []
    for each in forecasts:
        name = each.settings.name
        group = known.get((each.application, name))
        ends[name] = _ends(each, ends, script_seconds)
        if isinstance(each, TrafficForecast):
            outlines.append(traffic_outline(each, group, *ends[name]))
        else:
            outlines.append(_outline(each, group, *ends[name]))
    return outlines


def _without_absent_predecessors(
    forecasts: Sequence[Forecast | TrafficForecast],
) -> list[Forecast | TrafficForecast]:
    """A group that follows one which is not deployed along with it waits for nothing."""
    there = {each.settings.name for each in forecasts}
    return [
        replace(each, settings=replace(each.settings, after=None))
        if each.settings.after and each.settings.after.group not in there
        else each
        for each in forecasts
    ]


def _outline(each: Forecast, known: GroupState | None, earliest: dt.timedelta, latest: dt.timedelta | None) -> Outline:
    active: Deployment | None = known.active if known else None
    return Outline(
        application=each.application,
        group=each.settings.name,
        revision=each.revision,
        current=each.current,
        under_way=active.id if active else None,
        rollout=each.plan.configuration,
        minimum_healthy=each.plan.minimum_healthy,
        window=each.plan.window,
        max_failed=each.plan.max_failed,
        steps=tuple(_steps(each)),
        events=each.events,
        settings=each.settings,
        earliest_end=earliest,
        latest_end=latest,
        replaced=each.replaced,
    )


def _steps(each: Forecast) -> Iterator[PlannedBatch | PlannedHold]:
    names = [host.target for host in each.hosts]
    for step in each.plan.steps:
        if isinstance(step, Batch):
            yield PlannedBatch(hosts=tuple(names[: step.size]))
            names = names[step.size :]
        else:
            yield PlannedHold(duration=step.duration, checks=step.checks)


def _ends(
    each: Forecast | TrafficForecast,
    before: dict[str, tuple[dt.timedelta, dt.timedelta | None]],
    script_seconds: Mapping[str, int] | None,
) -> tuple[dt.timedelta, dt.timedelta | None]:
    """Of a group, after those *before* it; the latest is None where nobody can say."""
    after = each.settings.after
    earliest, latest = before[after.group] if after else (_NOTHING, _NOTHING)
    bake = after.bake if after else _NOTHING
    own = traffic_length(each) if isinstance(each, TrafficForecast) else _length(each, script_seconds)
    return earliest + bake + own[0], None if latest is None or own[1] is None else latest + bake + own[1]


def _length(each: Forecast, script_seconds: Mapping[str, int] | None) -> tuple[dt.timedelta, dt.timedelta | None]:
    """At least all waits. At most also every script of every turn up to its timeout, and the load balancers'."""
    waits = each.plan.holds * (1 if each.settings.green is None else 2)  # once to install, once for traffic
    if script_seconds is None:
        return waits, None
    scripts = dt.timedelta(seconds=sum(script_seconds.get(event, 0) for event in each.events))
    return waits, waits + (scripts + each.traffic_wait) * _turns(each.plan) + _of_fleets(each.settings)


def _of_fleets(settings: GroupSettings) -> dt.timedelta:
    """What waits add where hosts are replaced; people may cut them short."""
    if settings.green is None:
        return _NOTHING
    return (settings.blue_green.ready_wait or _NOTHING) + (settings.blue_green.termination_wait or _NOTHING)


def _turns(plan: RolloutPlan) -> int:
    """How often one host after the other must wait for its turn, when every host takes as long as it may."""
    return sum(-(-step.size // min(step.size, plan.window)) for step in plan.steps if isinstance(step, Batch))
