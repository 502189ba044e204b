"""What must hold at every moment of a deployment, whatever goes wrong: on the fake AWS, with everything going wrong."""

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import World, named_in
from platforms.services.service_deployments import (
    BLUE,
    GREEN,
    PRODUCTION,
    ROLLBACK,
    TEST,
    Deployment,
    blue_green_world,
    definition,
)

from runner.model.program import Act

ORIGINAL = "ecs-svc/1"


class Watcher:
    """Looks at the world after every change."""

    def __init__(self) -> None:
        self.may_end = False  # whether the original may be deleted by now
        self.asked = 0.0

    def __call__(self, world: World) -> None:
        self.weights_sum_to_a_hundred(world)
        self.production_leads_to_healthy_tasks(world)
        self.the_original_lives_until_its_time(world)
        self.there_is_one_primary(world)

    def weights_sum_to_a_hundred(self, world: World) -> None:
        for entrance in (PRODUCTION, TEST):
            weights = named_in(world.listeners[entrance])
            assert sum(weights.values()) in (1, 100), weights  # 1: as it was before anybody touched it
            assert weights.keys() <= {BLUE, GREEN}

    def production_leads_to_healthy_tasks(self, world: World) -> None:
        for group, weight in named_in(world.listeners[PRODUCTION]).items():
            assert weight == 0 or "healthy" in world.health(group), f"{group} has {weight} and {world.health(group)}"

    def the_original_lives_until_its_time(self, world: World) -> None:
        if not self.may_end:
            [original] = [each for each in world.fleets["prod", "api"].sets if each.id == ORIGINAL]
            assert original.draining is None and original.scale == 100

    def there_is_one_primary(self, world: World) -> None:
        assert [each.status for each in world.fleets["prod", "api"].sets].count("PRIMARY") == 1


@st.composite
def programs(draw: st.DrawFn) -> tuple[Act, ...]:
    """Any rollout: a size, perhaps more of it, rising weights to 100, the end of the original."""
    scale = draw(st.sampled_from([50, 100]))
    grow = [Act(event="Scale", scale=100)] if scale < 100 or draw(st.booleans()) else []
    weights = sorted(draw(st.sets(st.integers(1, 99), max_size=3)))
    shifts = [Act(event="AllowTraffic", weight=weight) for weight in (*weights, 100)]
    test = [Act(event="AllowTestTraffic")] if draw(st.booleans()) else []
    return (Act(event="Install", scale=scale), *test, *grow, *shifts, Act(event="Terminate"))


@st.composite
def clouds(draw: st.DrawFn) -> FakeCloud:
    world = blue_green_world(desired=draw(st.integers(1, 4)))
    if draw(st.integers(0, 9)) == 0:
        world.register("api", **definition("broken"))
    cloud = FakeCloud(world)
    cloud.lag = draw(st.sampled_from([0.0, 0.0, 2.0]))
    cloud.throttled = draw(st.sets(st.integers(8, 60), max_size=12))
    return cloud


def crash(data: st.DataObject, cloud: FakeCloud) -> None:
    """Perhaps the process dies at one of the next changes."""
    cloud.dies_at = data.draw(st.none() | st.integers(1, 4).map(lambda number: len(cloud.changes) + number))
    cloud.dies_before = data.draw(st.booleans())


def end(cloud: FakeCloud) -> Any:
    cloud.dies_at, cloud.lag = None, 0.0
    cloud.advance(60)
    return cloud.world.fleets["prod", "api"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining traces every line of the fake
)
@given(cloud=clouds(), acts=programs(), data=st.data())
def test_whatever_goes_wrong_traffic_is_safe_and_every_deployment_ends(
    cloud: FakeCloud, acts: tuple[Act, ...], data: st.DataObject
) -> None:
    watcher = Watcher()
    cloud.watch = watcher
    deployment = Deployment(cloud, limit=dt.timedelta(minutes=1))
    deployment.inspect()
    stop_after = data.draw(st.integers(0, len(acts)), "stopped after")
    failed = False
    for act in acts[:stop_after]:
        crash(data, cloud)
        watcher.may_end = act.event == "Terminate"
        if not deployment.act(act).succeeded:
            failed = True
            break
    if stop_after == len(acts) and not failed:
        fleet = end(cloud)
        assert [(each.status, each.external) for each in fleet.sets] == [("PRIMARY", deployment.id)]
        assert named_in(cloud.world.listeners[PRODUCTION]) == {BLUE: 0, GREEN: 100}
        return
    changes, entrances = len(cloud.changes), cloud.world.entrances()
    cloud.advance(120)
    assert (len(cloud.changes), cloud.world.entrances()) == (changes, entrances), "nothing changes after a stop"
    watcher.may_end = False
    undo = deployment.undo()
    for act in ROLLBACK:
        crash(data, cloud)
        outcome = undo.act(act)
        assert outcome.succeeded, outcome.diagnostics.message
    fleet = end(cloud)
    assert [(each.id, each.status) for each in fleet.sets] == [(ORIGINAL, "PRIMARY")]
    assert named_in(cloud.world.listeners[PRODUCTION]) == {BLUE: 1}
    assert named_in(cloud.world.listeners[TEST]) == {BLUE: 1}
