"""The same in words: what `penstock plan` and comments on pull requests say of one group."""

from collections.abc import Iterator

from runner.model.duration import format_duration
from runner.model.manifest import GroupSettings
from runner.plan.preview import Outline, PlannedBatch, PlannedHold
from runner.plan.preview_fleets import facts_of_fleets
from runner.plan.preview_traffic import TrafficOutline, end_of_traffic, facts_of_traffic, watching
from runner.plan.words import count, listed


def facts(each: Outline | TrafficOutline, *, names: bool = True) -> Iterator[tuple[str, str]]:
    """Name and text of each. *names*: whether hosts are named, or only counted."""
    yield "now", _now(each)
    if after := each.settings.after:
        bake = f", {format_duration(after.bake)} after that" if after.bake else ""
        yield "begins", f"once {after.group} has the same revision{bake}"
    yield from _facts_of_hosts(each, names) if isinstance(each, Outline) else facts_of_traffic(each)
    if alarms := each.settings.alarms:
        yield "alarms", f"{listed(list(alarms.names), 12)}: one that fires stops it"
    yield "rollback", _rollback(each.settings)
    for trigger in each.settings.triggers:
        yield "tells", f"{trigger.to} of {', '.join(trigger.on)}"
    yield "ends", _end(each) if isinstance(each, Outline) else end_of_traffic(each)


def _facts_of_hosts(each: Outline, names: bool) -> Iterator[tuple[str, str]]:
    hosts = each.minimum_healthy + each.window
    if each.settings.green is not None:
        yield from facts_of_fleets(each.settings, each.replaced, names=names)
        yield (
            "rollout",
            f"{each.rollout}: at most {each.window} of {count(hosts, 'new host')} at a time",
        )
    else:
        yield "rollout", f"{each.rollout}: at most {each.window} of {count(hosts, 'host')} out of service at a time"
    for number, step in enumerate(each.steps, start=1):
        yield f"step {number}", _step(step, names)
    if each.settings.load_balancer and each.settings.green is None:
        yield "traffic", f"{each.settings.load_balancer}: a host is out of it while it is deployed to"
    yield "stops", _stops(each)


def _now(each: Outline | TrafficOutline) -> str:
    has = each.current.label if each.current else "nothing yet"
    same = " (the same)" if each.current == each.revision else ""
    return has + same + (f"; {each.under_way} is under way and goes first" if each.under_way else "")


def _step(step: PlannedBatch | PlannedHold, names: bool) -> str:
    if isinstance(step, PlannedHold):
        return f"hold for {format_duration(step.duration)}{watching(step.checks)}"
    which = f": {listed(step.hosts, 12)}" if names else ""
    return f"deploy to {count(len(step.hosts), 'host')}{which}"


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
