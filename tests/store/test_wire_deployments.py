"""Deployments made through the wire API, as rows: one at a time, only where wanted, within their time."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from store_cases import World, group, manifest, revision

from runner.errors import Refused
from runner.model.application import Group
from runner.model.deployment import Deployment, Options
from runner.model.revision import Revision, S3Revision
from runner.model.target import RevisionHealth
from runner.plan.decide import LONGEST

PLACE = ("shop", "production")
OPEN = S3Revision(bucket="b", key="k", bundle_type="zip")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    """A group with two hosts, both of which have revision 1."""
    world = World(tmp_path)
    world.push("1", manifest(group("production")))
    world.settle()
    yield world
    world.store.close()


def create(world: World, what: Revision, **options: object) -> str:
    world.tick()
    place: Group = world.store.catalog.groups.get(*PLACE)
    return world.store.wire.create(place, place.settings, what, Options(**options), world.now)  # type: ignore[arg-type]


def of(world: World, deployment_id: str) -> Deployment:
    return world.store.deployment(deployment_id)


def health(world: World) -> dict[str, RevisionHealth]:
    return {each.target: each.revision for each in world.store.instance_health(*PLACE)}


def test_a_group_whose_deployment_waits_is_taken_too(made: World):
    (waiting,) = made.push("2", manifest(group("production")))
    with pytest.raises(Refused, match=f"already has an active Deployment '{waiting}'") as refused:
        create(made, revision("3"))
    assert refused.value.code == "DeploymentLimitExceededException"
    made.settle()
    assert of(made, create(made, revision("3"))).status == "Queued"


def test_it_knows_what_the_group_had_before(made: World):
    assert of(made, create(made, revision("2"))).previous_revision == revision("1")


def test_only_outdated_hosts_are_targets_and_the_others_stay_current(made: World):
    made.fails = lambda event: event.target.endswith("2")
    create(made, revision("2"))
    made.settle()
    assert health(made) == {"production-1": RevisionHealth.CURRENT, "production-2": RevisionHealth.UNKNOWN}
    made.fails = lambda event: False
    again = create(made, revision("2"), update_outdated_instances_only=True)
    made.settle()
    assert [each.id for each in made.store.targets(again)] == ["production-2"]
    assert set(health(made).values()) == {RevisionHealth.CURRENT}
    none = create(made, revision("2"), update_outdated_instances_only=True)
    made.settle()
    failed = of(made, none)
    assert (failed.status, failed.error and failed.error.code, failed.started_at) == ("Failed", "NO_INSTANCES", None)


def test_a_deployment_past_its_time_is_looked_at_by_itself_and_fails(made: World):
    late = create(made, revision("2"))
    actions = made.step([])
    running = made.step(actions)
    advance = made.store.advance([], made.now)
    assert advance.wake_at == of(made, late).started_at + LONGEST  # type: ignore[operator]
    made.now += LONGEST
    assert made.store.advance([], made.now).wake_at is None  # what runs still will wake it
    made.step(running)
    failed = of(made, late)
    assert (failed.status, failed.error and failed.error.code) == ("Failed", "TIMEOUT")


def test_a_rollback_has_the_object_that_the_good_deployment_had(made: World):
    exact = msgspec.structs.replace(OPEN, etag="e1", version="v1")
    good = create(made, OPEN, description="good")
    _settle_with_pin(made, exact)
    assert (of(made, good).revision, of(made, good).exact) == (OPEN, exact)
    made.fails = lambda event: True
    place = made.store.catalog.groups.get(*PLACE)
    settings = msgspec.structs.replace(place.settings, rollback_on=("DEPLOYMENT_FAILURE",))
    failed = made.store.wire.create(place, settings, revision("3"), Options(), made.now)
    actions = made.step(made.step([]))
    while of(made, failed).status == "InProgress":
        actions = made.step(actions)
    rollback = of(made, failed).rollback
    assert rollback is not None
    assert rollback.rollback_deployment_id is not None
    back = of(made, rollback.rollback_deployment_id)
    assert (back.revision, back.pinned, back.previous_revision) == (OPEN, exact, OPEN)
    assert back.options == Options()


def test_deploying_again_is_of_the_same_object(made: World):
    exact = msgspec.structs.replace(OPEN, etag="e1")
    good = create(made, OPEN)
    _settle_with_pin(made, exact)
    again = made.store.create_again(of(made, good), Options(), made.now)
    assert of(made, again).exact == exact


def _settle_with_pin(world: World, exact: S3Revision) -> None:
    (prepare,) = world.step([])
    actions = world.step([], [msgspec.structs.replace(world.result(prepare), pinned=exact)])  # type: ignore[type-var]
    while actions:
        actions = world.step(actions)


def test_times_are_compared_to_the_microsecond(made: World):
    from runner.ports.deployments import DeploymentFilter

    new = create(made, revision("2"))
    at, moment = of(made, new).created_at, dt.timedelta(microseconds=1)
    store = made.store.wire
    assert store.page(DeploymentFilter(since=at, until=at), None, 10).ids == [new]
    assert store.page(DeploymentFilter(since=at + moment), None, 10).ids == []
