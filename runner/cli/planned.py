"""What a rollout would do, told before it happens: the forecast with its earliest and latest end."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.text import Text

from runner.cli.checkout import Checkout
from runner.cli.planned_fleets import facts_of_fleets
from runner.cli.planned_traffic import (
    TrafficOutline,
    end_of_traffic,
    facts_of_traffic,
    traffic_length,
    traffic_outline,
    watching,
)
from runner.cli.screen import line, table
from runner.cli.words import count, listed
from runner.model.deployment import Deployment
from runner.model.duration import format_duration
from runner.model.manifest import GroupSettings
from runner.model.revision import Revision
from runner.model.status import GroupState, State
from runner.model.value import Value
from runner.plan.batches import Batch, RolloutPlan
from runner.service import Forecast, TrafficForecast

if TYPE_CHECKING:
    from rich.console import Console

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


def show(out: "Console", checkout: Checkout, outlines: Sequence[Outline | TrafficOutline]) -> None:
    """Print the plan."""
    where = f"branch {checkout.branch}" if checkout.branch else "detached HEAD"
    line(out, f"commit {checkout.commit_id} ({where})")
    for each in outlines:
        out.print()
        line(out, Text(f"{each.application}/{each.group}", style="bold"), f" gets {each.revision.label}")
        table(out, ("", ""), list(_facts(each)), indent=2)
    if not outlines:
        line(out, "nothing to deploy")


def _facts(each: Outline | TrafficOutline) -> Iterator[tuple[str, str]]:
    yield "now", _now(each)
    if after := each.settings.after:
        bake = f", {format_duration(after.bake)} after that" if after.bake else ""
        yield "begins", f"once {after.group} has the same revision{bake}"
    yield from _facts_of_hosts(each) if isinstance(each, Outline) else facts_of_traffic(each)
    if alarms := each.settings.alarms:
        yield "alarms", f"{listed(list(alarms.names), 12)}: one that fires stops it"
    yield "rollback", _rollback(each.settings)
    for trigger in each.settings.triggers:
        yield "tells", f"{trigger.to} of {', '.join(trigger.on)}"
    yield "ends", _end(each) if isinstance(each, Outline) else end_of_traffic(each)


def _facts_of_hosts(each: Outline) -> Iterator[tuple[str, str]]:
    hosts = each.minimum_healthy + each.window
    if each.settings.green is not None:
        yield from facts_of_fleets(each.settings, each.replaced)
        yield (
            "rollout",
            f"{each.rollout}: at most {each.window} of {count(hosts, 'new host')} at a time",
        )
    else:
        yield "rollout", f"{each.rollout}: at most {each.window} of {count(hosts, 'host')} out of service at a time"
    for number, step in enumerate(each.steps, start=1):
        yield f"step {number}", _step(step)
    if each.settings.load_balancer and each.settings.green is None:
        yield "traffic", f"{each.settings.load_balancer}: a host is out of it while it is deployed to"
    yield "stops", _stops(each)


def _now(each: Outline | TrafficOutline) -> str:
    has = each.current.label if each.current else "nothing yet"
    same = " (the same)" if each.current == each.revision else ""
    return has + same + (f"; {each.under_way} is under way and goes first" if each.under_way else "")


def _step(step: PlannedBatch | PlannedHold) -> str:
    if isinstance(step, PlannedHold):
        return f"hold for {format_duration(step.duration)}{watching(step.checks)}"
    return f"deploy to {count(len(step.hosts), 'host')}: {listed(list(step.hosts), 12)}"


def _stops(each: Outline) -> str:
    """By the rules of `decide`: what ends the rollout as failed."""
    bounds = [] if each.max_failed is None else [f"as soon as {count(each.max_failed + 1, 'host')} failed"]
    total = each.minimum_healthy + each.window
    if each.window < total and (each.max_failed is None or each.window <= each.max_failed):
        bounds.append(f"as soon as {count(each.window, 'host')} failed and others wait")
    if bounds:
        return " or ".join(bounds)
    return f"not on its way; at the end {count(max(1, each.minimum_healthy), 'host')} must be good"


def _rollback(settings: GroupSettings) -> str:
    words = {
        "DEPLOYMENT_FAILURE": "when it fails",
        "DEPLOYMENT_STOP_ON_ALARM": "when an alarm stops it",
        "DEPLOYMENT_STOP_ON_REQUEST": "when it is stopped",
    }
    return " and ".join(words[event] for event in settings.rollback_on) or "never by itself"


def _end(each: Outline) -> str:
    first = (
        f"{format_duration(each.earliest_end)} after the start"
        if each.earliest_end
        else "as soon as the hosts are done"
    )
    if each.latest_end is None:
        return f"earliest {first}; latest unknown, the AppSpec comes with the bundle"
    whatever = "every script and every wait for a load balancer" if each.settings.load_balancer else "every script"
    return f"earliest {first}; latest {format_duration(each.latest_end)} if {whatever} takes as long as it may"
