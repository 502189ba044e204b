"""Plain lines, word for word, of journals that a real store has written."""

import datetime as dt
import io

import pytest
from store_cases import ALL_AT_ONCE, World, group, manifest

from runner.cli.board import Board
from runner.cli.lines import Lines
from runner.model.manifest import After
from runner.model.rollout import BatchStep, HoldStep, Rollout, Share

pytestmark = pytest.mark.usefixtures("utc")


def told(world: World, *, verbose: bool = False) -> list[str]:
    """Everything that the store's journal says; IDs are replaced by A, B, C in the order of creation."""
    out, board = io.StringIO(), Board()
    entries = world.store.journal_after(0)
    for entry in entries:
        board.apply(entry)
    Lines(board, out, verbose=verbose).show(entries)
    text = out.getvalue()
    for letter, deployment in zip("ABCDEF", reversed(world.store.deployments()), strict=False):
        text = text.replace(deployment.id, letter)
    return text.splitlines()


def test_a_rollout_that_goes_well(world: World) -> None:
    world.push("1", manifest(group("staging")))
    world.settle()
    assert told(world) == [
        "00:00:01 A shop/staging created: deploys shop@1111111111, seen by the watcher",
        "00:00:01 A shop/staging started: 2 hosts, CodeDeployDefault.AllAtOnce",
        "00:00:01 A shop/staging staging-1 succeeded in 0.0s",
        "00:00:01 A shop/staging staging-2 succeeded in 0.0s",
        "00:00:01 A shop/staging succeeded in 0.0s",
    ]


def test_a_failure_and_its_rollback(world: World) -> None:
    failing = manifest(
        group(
            "staging",
            rollback_on=("DEPLOYMENT_FAILURE",),
            rollout=Rollout(name="careful", max_failed=0, steps=(BatchStep(size=Share(value=1), repeat=True),)),
        )
    )
    world.hosts = 4
    world.push("1", failing)
    world.settle()
    before = len(told(world))
    world.fails = lambda event: (
        event.target == "staging-2"
        and event.event == 3
        and "2" * 40 in str(world.store.deployment(event.deployment_id).revision)
    )
    world.push("2", failing)
    world.settle()
    assert told(world)[before:] == [
        "00:00:02 B shop/staging created: deploys shop@2222222222, seen by the watcher",
        "00:00:02 B shop/staging started: 4 hosts, careful",
        "00:00:02 B shop/staging staging-1 succeeded in 0.0s",
        "00:00:02 B shop/staging staging-2 ValidateService failed: x.sh: no",
        "00:00:02 B shop/staging staging-2 failed",
        "00:00:02 B shop/staging 2 hosts skipped: staging-3, staging-4",
        "00:00:02 B shop/staging failed: 1 of 4 hosts failed (staging-2 in ValidateService) and at most 0 may fail; "
        "2 not touched (HEALTH_CONSTRAINTS)",
        "00:00:02 C shop/staging created: rolls back B to shop@1111111111",
        "00:00:02 B shop/staging rollback triggered: Deployment C is triggered to roll back deployment B.",
        "00:00:02 C shop/staging started: 4 hosts, careful",
        "00:00:02 C shop/staging staging-2 succeeded in 0.0s",
        "00:00:02 C shop/staging staging-1 succeeded in 0.0s",
        "00:00:02 C shop/staging staging-3 succeeded in 0.0s",
        "00:00:02 C shop/staging staging-4 succeeded in 0.0s",
        "00:00:02 C shop/staging succeeded in 0.0s",
    ]


def test_waits_holds_and_wishes(world: World) -> None:
    held = Rollout(name="held", steps=(HoldStep(duration=dt.timedelta(minutes=5)), BatchStep(size=Share(value=2))))
    bake = After(group="staging", bake=dt.timedelta(minutes=10))
    _, production = world.push("1", manifest(group("staging", rollout=held), group("production", after=bake)))
    world.settle()
    staging = world.store.deployments()[1].id
    world.store.request_continue(staging, world.now)
    world.settle()
    world.store.request_stop(production, world.now, rollback=False)
    world.settle()
    assert told(world)[2:] == [
        "00:00:01 B shop/production waits for A in staging",
        "00:00:01 A shop/staging started: 2 hosts, held",
        "00:00:01 A shop/staging holds for 5m, until 00:05:01",
        "00:00:01 A shop/staging continue requested",
        "00:00:01 A shop/staging hold ended on request",
        "00:00:01 A shop/staging staging-1 succeeded in 0.0s",
        "00:00:01 A shop/staging staging-2 succeeded in 0.0s",
        "00:00:01 A shop/staging succeeded in 0.0s",
        "00:00:01 B shop/production waits for staging to bake, until 00:10:01",
        "00:00:01 B shop/production stop requested, without rollback",
        "00:00:01 B shop/production stopped: stopped on request before it began (MANUAL_STOP)",
    ]


def test_verbose_lines_tell_every_lifecycle_event(world: World) -> None:
    world.hosts = 1
    world.push("1", manifest(group("staging", rollout=ALL_AT_ONCE)))
    world.settle()
    lines = told(world, verbose=True)
    assert "00:00:01 A shop/staging queued" in lines
    assert "00:00:01 A shop/staging staging-1 started" in lines
    assert "00:00:01 A shop/staging staging-1 Install started" in lines
    assert "00:00:01 A shop/staging staging-1 Install succeeded" in lines
