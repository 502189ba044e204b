"""What `penstock show` says of hosts on which nothing could begin."""

import io

from rich.console import Console
from store_cases import World

from runner.cli.description import show
from runner.model.command import Outcome
from runner.model.target import Diagnostics
from runner.model.work import Action, EventEnded, Result, RunEvent
from runner.service import Service


def absent(world: World, action: Action) -> Result:
    """As a platform says it of a host whose agent never took the event up."""
    if not isinstance(action, RunEvent):
        return world.result(action)
    outcome = Outcome(
        succeeded=False, began=False, diagnostics=Diagnostics(error_code="UnknownError", message="nobody")
    )
    return EventEnded(
        deployment_id=action.deployment_id,
        target=action.target,
        event=action.event,
        attempt=action.attempt,
        outcome=outcome,
    )


def test_an_event_that_nobody_took_up_did_not_begin_rather_than_fail(world: World) -> None:
    staging = world.push("a")[0]
    actions = world.step([])
    while actions:
        actions = world.step(actions, [absent(world, action) for action in actions])
    described = Service(world.store, lambda: (), lambda: world.now).describe(staging)
    out = Console(file=io.StringIO(), width=120)
    show(out, described, None, lambda target: "", world.now, {})
    said = out.file.getvalue()  # type: ignore[attr-defined]
    assert "staging-1 did not begin ApplicationStop" in said
    assert "error    nobody" in said
    assert "failed in ApplicationStop" not in said
