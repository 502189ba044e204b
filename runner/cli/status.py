"""`penstock status`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from runner.model.status import GroupState, State
    from runner.wiring import Runner

DESCRIPTION = """\
Shows for every deployment group the revision it has, the deployment that is under way or waits, and the health of its
targets (hosts, or the function or service); then the changes that are pending or were refused, repositories that cannot
be reached, the last delivery of each webhook, what is wrong with webhooks, pull requests that were not told, and
notifications that were not delivered."""
EXAMPLE = """\
penstock status
penstock --output json status | jq '.groups[] | select(.active)'"""


def declare(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.session import opened
    from runner.model.value import to_json

    with opened(arguments) as runner:
        state = runner.service.state()
        if arguments.output == "json":
            print(to_json(state))
        else:
            _show(state, runner)
    return exits.FINE


def _show(state: "State", runner: "Runner") -> None:
    from runner.cli.screen import console, line, table

    out = console()
    if not state.groups:
        print(f"nothing was deployed from {runner.place} yet; `penstock deploy` begins")
    else:
        table(out, ("GROUP", "HAS", "SINCE", "TARGETS", "NOW"), [_row(group) for group in state.groups])
    _show_attention(state, out)
    if _waits_for_a_driver(state) and not runner.is_driven:
        line(out, f"no process drives {runner.place}: penstock sync, or serve, takes up what is under way")


def _waits_for_a_driver(state: "State") -> bool:
    under_way = any(group.active or group.waiting for group in state.groups)
    return under_way or any(delivery.open for delivery in state.deliveries)


def _row(group: "GroupState") -> tuple[str, ...]:
    from runner.cli.words import moment

    healthy = sum(host.healthy for host in group.hosts)
    return (
        f"{group.application}/{group.group}",
        group.current.short if group.current else "nothing yet",
        moment(group.current_since),
        f"{healthy} of {len(group.hosts)} healthy" if group.hosts else "-",
        _now(group),
    )


def _now(group: "GroupState") -> str:
    """What is under way, or else how the last deployment ended when not all is as somebody wanted it."""
    if group.active:
        waits = f", waits for {group.active.waiting_for}" if group.active.waiting_for else ""
        counts = group.active.overview
        of_hosts = group.active.settings.platform == "Server" and group.active.started_at is not None
        done = f", {counts.Succeeded} hosts done, {counts.Failed} failed" if of_hosts else ""
        return f"{group.active.id} {group.active.status} {group.active.revision.short}{done}{waits}"
    if group.waiting:
        newest = group.waiting[0]
        return f"{newest.id} {newest.revision.short} waits for {newest.waiting_for or 'its turn'}"
    if group.last and group.last.status in ("Failed", "Stopped"):
        return f"{group.last.id} {group.last.status}: {group.last.error.message if group.last.error else ''}"
    if group.last and group.last.rollback and (undone := group.last.rollback.rollback_triggering_deployment_id):
        return f"{group.last.id} has rolled back {undone}"
    return "-"


def _show_attention(state: "State", out: "Console") -> None:
    from runner.cli.screen import line
    from runner.cli.words import count, moment, one_line

    for each in state.changes:
        change = each.change
        said = one_line(each.message) or "not looked at yet"
        line(out, f"change {change.repository} {change.ref} {change.commit_id[:10]} {each.status.lower()}: {said}")
    for repository in state.repositories:
        if repository.failures:
            line(out, f"repository {repository.name} failed {repository.failures} times: {repository.last_error}")
    for delivery in state.deliveries:
        what = one_line(" ".join((delivery.event, *delivery.refs)))
        waits = f"; {delivery.open} not looked after yet" if delivery.open else ""
        line(out, f"webhook {delivery.repository}: {what} at {moment(delivery.received_at)}{waits}")
    for webhook in state.webhooks:
        if webhook.problem:
            line(out, f"webhook {webhook.repository}: {one_line(webhook.problem)}")
        if webhook.last_delivery_at is None:
            line(out, f"webhook {webhook.repository}: no delivery yet; its sender needs the address and the secret")
    for unsaid in state.pull_requests:
        what = f"{unsaid.untold} are not told yet" if unsaid.untold else "could not be asked for"
        often = f"failed {count(unsaid.failures, 'time')}, last at {moment(unsaid.failed_at)}"
        line(out, f"pull requests of {unsaid.repository}: {what} ({often}): {one_line(unsaid.error)}")
    if state.undelivered:
        line(out, f"{state.undelivered} notifications are not delivered yet, or were given up")
    for unsent in state.undelivered_to:
        counts = f"{unsent.waiting} wait" + (f", {unsent.given_up} were given up" if unsent.given_up else "")
        line(out, f"  {unsent.to}: {counts}: {one_line(unsent.last_error or '') or 'not tried yet'}")
