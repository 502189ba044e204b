"""The process dies at every call that changes anything, before and after it takes effect: the end is the same."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import World
from platforms.services.service_deployments import (
    CANARY,
    ROLLBACK,
    ROLLING,
    SPEC,
    Deployment,
    blue_green_world,
    definition,
    rolling_world,
)

from runner.model.program import Act
from runner.model.services import EcsState

DOCUMENT = {"family": "api", **definition("api@sha256:1")}
MANIFEST = msgspec.structs.replace(SPEC, task_definition=None, document=DOCUMENT)
GROWING = (Act(event="Install", scale=50), Act(event="Scale", scale=100), *CANARY[1:])


def canary(cloud: FakeCloud) -> EcsState:
    return Deployment(cloud, MANIFEST).succeed(GROWING)


def canary_undone(cloud: FakeCloud) -> EcsState:
    deployment = Deployment(cloud, MANIFEST)
    deployment.succeed(GROWING[:-1])
    return deployment.undo().succeed(ROLLBACK)


def rolling(cloud: FakeCloud) -> EcsState:
    return Deployment(cloud, MANIFEST).succeed(ROLLING)


def rolling_undone(cloud: FakeCloud) -> EcsState:
    deployment = Deployment(cloud, MANIFEST)
    deployment.succeed(ROLLING)
    return deployment.undo().succeed(ROLLING)


def effects(world: World) -> Any:
    """What is left in AWS, without the times and numbers that differ."""
    world.tick(120)
    return (
        deepcopy(world.entrances()),
        {family: [each.get("tags") for each in known] for family, known in world.definitions.items()},
        [
            (each.status, each.definition, each.scale, each.external, each.groups, each.rollout)
            for fleet in world.fleets.values()
            for each in fleet.sets
        ],
    )


def is_at_rest(world: World) -> bool:
    """Whether ECS has nothing left to do, where it is ECS that does it."""
    [fleet] = world.fleets.values()
    primary = next(each for each in fleet.sets if each.status == "PRIMARY")
    return fleet.controller != "ECS" or primary.rollout == "COMPLETED"


SCENES: Sequence[tuple[Callable[[FakeCloud], EcsState], Callable[[], World]]] = [
    (canary, blue_green_world),
    (canary_undone, blue_green_world),
    (rolling, rolling_world),
    (rolling_undone, rolling_world),
    (rolling, lambda: rolling_world("BLUE_GREEN")),
    (rolling_undone, lambda: rolling_world("CANARY")),
]


@pytest.mark.parametrize("lag", [0.0, 3.0])
@pytest.mark.parametrize("before", [False, True], ids=["after the call", "before the call"])
@pytest.mark.parametrize(("scene", "world"), SCENES)
def test_a_crash_at_any_change_leaves_no_trace(
    scene: Callable[[FakeCloud], EcsState], world: Callable[[], World], before: bool, lag: float
) -> None:
    whole = FakeCloud(world())
    state = scene(whole)
    names = [operation for operation, _ in whole.changes]
    expected = effects(whole.world)
    for number in range(1, len(names) + 1):
        cloud = FakeCloud(world())
        cloud.lag, cloud.dies_at, cloud.dies_before = lag, number, before
        ended = scene(cloud)
        assert cloud.dies_at is None, "it did not die"
        assert ended.weight == state.weight and ended.moved == state.moved
        if not lag:  # it looks before it does, so nothing is even asked for twice
            assert [operation for operation, _ in cloud.changes] == names, f"died at {number}"
            assert is_at_rest(cloud.world), f"died at {number}, and did not wait for the end"
            assert effects(cloud.world) == expected, f"died at {number}, {names[number - 1]}"
        else:  # it may ask again, with a token or for what is so already
            entrances, _, sets = effects(cloud.world)
            assert (entrances, sets) == (expected[0], expected[2]), f"died at {number}, {names[number - 1]}"
