"""What alarms and checks are looked at for, and what one that fails does. Store, World and traffic are the real ones."""

import datetime as dt

import pytest
from store_cases import World, group, manifest
from traffic_rig import TrafficWorld

from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck, Alarms, HttpCheck
from runner.model.deployment import ErrorInformation, Options
from runner.model.revision import AppSpecRevision
from runner.model.rollout import BatchStep, CheckStep, HoldStep, Rollout, Share, ShiftStep
from runner.model.work import Wish
from runner.ports.checks import Watched

ALARMS = Alarms(names=("errors",))
CHECKS = {"errors": AlarmCheck(name="errors"), "health": HttpCheck(url="http://x/health")}
MINUTES = dt.timedelta(minutes=5)
ACTIVE = ErrorInformation(code="ALARM_ACTIVE", message="the alarm errors is in state ALARM")
CANARY = Rollout(
    name="ramp",
    steps=(
        ShiftStep(percent=10),
        HoldStep(duration=MINUTES, checks=("errors", "health")),
        HoldStep(duration=MINUTES),
        CheckStep(checks=("health",)),
        ShiftStep(percent=100),
    ),
)
PLACE = AwsPlace(region="eu-west-1")
APPSPEC = """\
version: 0.0
Resources:
  - shop:
      Type: AWS::Lambda::Function
      Properties: {Name: shop, Alias: live, CurrentVersion: "1", TargetVersion: "2"}
"""


@pytest.fixture
def world(tmp_path):
    made = TrafficWorld(tmp_path)
    yield made
    made.store.close()


def function(world: World, **settings):
    """A deployment of a manifest to a function; returns its ID."""
    wanted = {"rollout": CANARY, "platform": "Lambda", "place": PLACE, "checks": CHECKS} | settings
    revision = AppSpecRevision(content=APPSPEC, sha256="0" * 64)
    wish = Wish(manifest=manifest(group("live", **wanted), platform="Lambda"), revision=revision)
    return world.store.create_releases("shop", [wish], "user", Options(), world.now)[0]


def status(world, deployment_id):
    return world.store.deployment(deployment_id).status


def go_on(world, actions):
    while actions:
        actions = world.step(actions)


def test_alarms_are_watched_from_the_queue_to_the_end(world):
    assert world.store.watch.watched() == []
    made = function(world, alarms=ALARMS, checks={})
    actions = world.step([])
    assert status(world, made) == "Queued"
    assert world.store.watch.watched() == [Watched(deployment_id=made, place=PLACE, alarms=ALARMS)]
    go_on(world, actions)
    assert [each.alarms for each in world.store.watch.watched()] == [ALARMS]
    world.wait(minutes=11)
    assert status(world, made) == "Succeeded"
    assert world.store.watch.watched() == []


def test_checks_are_watched_only_while_their_step_is_under_way(world):
    made = function(world)
    actions = world.step([])
    assert world.store.watch.watched() == []
    go_on(world, actions)
    (watched,) = world.store.watch.watched()
    assert watched.checks == CHECKS
    world.wait(minutes=5)
    assert world.store.watch.watched() == []
    world.wait(minutes=5)
    assert status(world, made) == "Succeeded"


def test_what_has_neither_is_not_watched(world):
    function(world, checks={})
    world.settle()
    assert world.store.watch.watched() == []


def test_an_alarm_stops_the_deployment_and_rolls_back_where_the_group_says_so(world):
    function(world, alarms=ALARMS)
    world.wait(minutes=10)  # something to go back to
    made = function(world, alarms=ALARMS, rollback_on=("DEPLOYMENT_STOP_ON_ALARM",))
    world.wait(minutes=1)
    assert world.store.watch.failed(made, ACTIVE, world.now)
    world.settle()
    ended = world.store.deployment(made)
    assert (ended.status, ended.error) == ("Stopped", ACTIVE)
    (noted,) = [entry for entry in world.store.journal(made) if entry.kind == "alarm raised"]
    assert noted.details == {"code": "ALARM_ACTIVE", "message": ACTIVE.message}
    assert ended.rollback.rollback_deployment_id
    assert status(world, ended.rollback.rollback_deployment_id) == "Succeeded"


def test_without_that_event_there_is_no_rollback(world):
    function(world)
    world.wait(minutes=10)
    made = function(world, alarms=ALARMS, rollback_on=("DEPLOYMENT_FAILURE",))
    world.wait(minutes=1)
    world.store.watch.failed(made, ACTIVE, world.now)
    world.settle()
    ended = world.store.deployment(made)
    assert (ended.status, ended.error.code) == ("Stopped", "ALARM_ACTIVE")
    assert ended.rollback is None or ended.rollback.rollback_deployment_id is None
    assert len(world.store.deployments()) == 2


def test_an_automatic_rollback_is_not_watched_for_the_alarm_is_still_on(world):
    function(world, alarms=ALARMS)
    world.wait(minutes=10)
    made = function(world, alarms=ALARMS, rollback_on=("DEPLOYMENT_STOP_ON_ALARM",))
    world.wait(minutes=1)
    world.store.watch.failed(made, ACTIVE, world.now)
    world.step([])
    (back,) = [each for each in world.store.deployments() if each.creator == "codeDeployRollback"]
    assert back.status.is_active or back.status == "Created"
    assert world.store.watch.watched() == []


def test_an_alarm_in_the_queue_stops_it_before_anything_is_touched(world):
    made = function(world, alarms=ALARMS)
    actions = world.step([])
    assert world.store.watch.failed(made, ACTIVE, world.now)
    assert world.step(actions) == []
    assert status(world, made) == "Stopped"
    assert world.shifts == []


def test_the_first_reason_counts_and_what_has_ended_stays(world):
    made = function(world, alarms=ALARMS)
    world.settle()
    assert world.store.watch.failed(made, ACTIVE, world.now)
    assert not world.store.watch.failed(made, ErrorInformation(code="ALARM_ACTIVE", message="another"), world.now)
    world.settle()
    assert not world.store.watch.failed(made, ACTIVE, world.now)
    assert world.store.deployment(made).error == ACTIVE


def test_a_check_that_fails_too_late_stops_nothing(world):
    made = function(world)
    world.settle()
    (watched,) = world.store.watch.watched()
    world.wait(minutes=5)
    unhealthy = ErrorInformation(code="CUSTOMER_APPLICATION_UNHEALTHY", message="the check health failed")
    assert not world.store.watch.failed(made, unhealthy, world.now, step=watched.step)
    world.wait(minutes=5)
    assert status(world, made) == "Succeeded"


def test_a_stop_on_request_is_not_overwritten(world):
    made = function(world, alarms=ALARMS)
    world.settle()
    world.store.request_stop(made, world.now, rollback=None)
    assert not world.store.watch.failed(made, ACTIVE, world.now)


def test_holds_between_batches_of_hosts_are_watched_too(world):
    rollout = Rollout(
        name="careful",
        steps=(
            BatchStep(size=Share(value=1)),
            HoldStep(duration=MINUTES, checks=("health",)),
            BatchStep(size=Share(value=1)),
        ),
    )
    (made,) = world.push("a", manifest(group("production", rollout=rollout, checks=CHECKS)))
    world.settle()
    (watched,) = world.store.watch.watched()
    assert (watched.deployment_id, watched.checks) == (made, {"health": CHECKS["health"]})
    unhealthy = ErrorInformation(code="CUSTOMER_APPLICATION_UNHEALTHY", message="the check health failed")
    assert world.store.watch.failed(made, unhealthy, world.now, step=watched.step)
    world.settle()
    ended = world.store.deployment(made)
    assert (ended.status, ended.error) == ("Stopped", unhealthy)
    assert (ended.overview.Succeeded, ended.overview.Skipped) == (1, 1)
