"""What happens to deployments: turns, order, rollback, stop, continue; each through the reconciling transaction."""

import datetime as dt

import pytest
import sqlalchemy as sa
from store_cases import EVENTS, ONE_AT_A_TIME, group, manifest, revision

from runner.errors import (
    ApplicationAlreadyExists,
    DeploymentAlreadyCompleted,
    DeploymentDoesNotExist,
    DeploymentIsNotInReadyState,
)
from runner.model.command import Outcome
from runner.model.deployment import DeploymentStatus, ErrorInformation, Options
from runner.model.journal import broken_at
from runner.model.manifest import After, Trigger
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.model.target import RevisionHealth
from runner.model.work import EventEnded, PreparationFailed, Prepare, Wish
from runner.store import tables as t

LAST = len(EVENTS) - 1


def test_a_change_goes_through_the_groups_in_order(world):
    world.push("1")
    world.settle()
    assert world.statuses() == {"staging 1 CodeDeploy": "Succeeded", "production 1 CodeDeploy": "Succeeded"}
    started = [entry.deployment_id for entry in world.store.journal_after(0) if entry.kind == "deployment started"]
    assert started == [each.id for each in reversed(world.store.deployments())]


def test_the_journal_is_one_chain_per_deployment(world):
    made = world.push("1")
    world.settle()
    for deployment_id in made:
        entries = world.store.journal(deployment_id)
        assert entries[0].kind == "deployment created"
        assert entries[-1].kind == "deployment succeeded"
        assert broken_at(entries) is None


def test_a_changed_journal_entry_is_noticed(world):
    made = world.push("1")
    world.settle()
    with world.store._db.write() as tx:
        tx.execute(t.journal.update().where(t.journal.c.sequence == 3).values(kind="nothing happened"))
    assert broken_at(world.store.journal(made[0])) == 3


def test_a_failed_group_ends_those_after_it(world):
    world.fails = lambda event: event.event == LAST
    world.push("1")
    world.settle()
    assert world.statuses() == {"staging 1 CodeDeploy": "Failed", "production 1 CodeDeploy": "Stopped"}
    production = world.store.deployments(group="production")[0]
    assert production.error.code == "DEPENDENCY"
    assert production.started_at is None


def test_a_failure_is_rolled_back_to_the_last_successful_revision(world):
    settings = manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",)))
    good = world.push("1", settings)[0]
    world.settle()
    bad = world.push("2", settings)[0]
    world.fails = lambda event: event.deployment_id == bad and event.event == LAST
    world.settle()
    rolled_back = world.store.deployment(bad)
    rollback = world.store.deployment(rolled_back.rollback.rollback_deployment_id)
    assert (rollback.creator, rollback.status, rollback.revision) == (
        "codeDeployRollback",
        DeploymentStatus.SUCCEEDED,
        world.store.deployment(good).revision,
    )
    assert rollback.rollback.rollback_triggering_deployment_id == bad
    assert rollback.rollback.rollback_message == f"Deployment {rollback.id} is triggered to roll back deployment {bad}."
    health = world.store.instance_health("shop", "production")
    assert all(host.healthy and host.revision is RevisionHealth.CURRENT for host in health)


def test_a_rollback_that_fails_is_not_rolled_back_again(world):
    settings = manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",)))
    world.push("1", settings)
    world.settle()
    world.fails = lambda event: event.event == LAST
    world.push("2", settings)
    world.settle()
    assert world.statuses() == {
        "production 1 CodeDeploy": "Succeeded",
        "production 2 CodeDeploy": "Failed",
        "production 1 codeDeployRollback": "Failed",
    }


def test_without_an_earlier_success_there_is_no_rollback_and_it_is_said(world):
    world.fails = lambda event: event.event == LAST
    made = world.push("1", manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",))))[0]
    world.settle()
    failed = world.store.deployment(made)
    assert "nothing was ever deployed successfully" in failed.rollback.rollback_message
    assert failed.rollback.rollback_deployment_id is None


def test_a_rollback_goes_before_a_change_that_waits(world):
    settings = manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",)))
    world.push("1", settings)
    world.settle()
    bad = world.push("2", settings)[0]
    actions = world.step([])
    world.push("3", settings)
    world.fails = lambda event: event.deployment_id == bad and event.event == LAST
    while actions:
        actions = world.step(actions)
    order = [entry.deployment_id for entry in world.store.journal_after(0) if entry.kind == "deployment started"]
    assert [world.store.deployment(each).revision.short[0] for each in order] == ["1", "2", "1", "3"]


def test_only_the_newest_of_those_waiting_runs(world):
    one = manifest(group("production"))
    world.push("1", one)
    actions = world.step([])
    world.push("2", one)
    world.push("3", one)
    while actions:
        actions = world.step(actions)
    assert world.statuses() == {
        "production 1 CodeDeploy": "Succeeded",
        "production 2 CodeDeploy": "Stopped",
        "production 3 CodeDeploy": "Succeeded",
    }
    assert world.store.deployments()[1].error.code == "SUPERSEDED"


def test_the_database_itself_refuses_a_second_active_deployment(world):
    world.push("1", manifest(group("production")))
    world.step([])
    world.push("2", manifest(group("production")))
    with pytest.raises(sa.exc.IntegrityError), world.store._db.write() as tx:
        tx.execute(t.deployments.update().values(status="InProgress"))


def test_a_bake_delays_the_next_group(world):
    baked = manifest(group("staging"), group("production", after=After(group="staging", bake=dt.timedelta(minutes=30))))
    world.push("1", baked)
    world.settle()
    production = world.store.deployments(group="production")[0]
    assert production.waiting_for == "staging to bake"
    assert production.waiting_until == world.now + dt.timedelta(minutes=30)
    world.tick(29 * 60)
    world.settle()
    assert world.statuses()["production 1 CodeDeploy"] == "Created"
    world.tick(61)
    world.settle()
    assert world.statuses()["production 1 CodeDeploy"] == "Succeeded"


def test_what_replaces_a_revision_before_it_has_baked_supersedes_it(world):
    baked = manifest(group("staging"), group("production", after=After(group="staging", bake=dt.timedelta(minutes=30))))
    world.push("1", baked)
    world.settle()
    world.tick(600)
    world.push("2", baked)
    world.settle()
    world.tick(1801)
    world.settle()
    statuses = world.statuses()
    assert (statuses["production 1 CodeDeploy"], statuses["production 2 CodeDeploy"]) == ("Stopped", "Succeeded")


def test_a_late_result_changes_nothing(world):
    made = world.push("1", manifest(group("production")))[0]
    actions = world.step(world.step([]))
    first = world.result(actions[0])
    world.step([], [first])
    before = len(world.store.journal(made))
    assert isinstance(first, EventEnded)
    stale = EventEnded(
        **{name: getattr(first, name) for name in ("deployment_id", "target", "event", "attempt")},
        outcome=Outcome(succeeded=False),
    )
    world.step([], [stale, first])
    assert len(world.store.journal(made)) == before


def test_what_was_in_flight_is_given_again_with_the_same_keys(world):
    world.push("1", manifest(group("production")))
    preparing = world.step([])
    assert world.store.in_flight() == preparing
    running = world.step(preparing)
    assert sorted(world.store.in_flight(), key=repr) == sorted(running, key=repr)
    world.settle()
    assert {action.attempt for action in running} == {1}


def test_draining_records_results_and_starts_nothing(world):
    made = world.push("1", manifest(group("production")))[0]
    actions = world.step(world.step([]))
    drained = world.store.advance([world.result(each) for each in actions], world.now, draining=True)
    assert drained.actions == ()
    assert world.store.in_flight() == []
    world.settle()
    assert world.store.deployment(made).status is DeploymentStatus.SUCCEEDED


def test_a_failed_preparation_fails_the_deployment_before_any_host(world):
    made = world.push("1", manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",))))[0]
    action = world.step([])[0]
    assert isinstance(action, Prepare)
    error = ErrorInformation(code="INVALID_REVISION", message="the archive is corrupt")
    world.step([], [PreparationFailed(deployment_id=made, error=error)])
    failed = world.store.deployment(made)
    assert (failed.status, failed.error, failed.started_at) == (DeploymentStatus.FAILED, error, None)
    assert failed.rollback is None


def test_impossible_health_constraints_fail_before_any_host(world):
    world.hosts = 1
    settings = group(
        "production", rollout=Rollout(name="r", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=1))
    )
    made = world.push("1", manifest(settings))[0]
    world.settle()
    assert world.store.deployment(made).error.code == "HEALTH_CONSTRAINTS_INVALID"
    assert world.store.targets(made) == []


def test_a_stop_lets_events_end_and_skips_the_rest(world):
    made = world.push("1", manifest(group("production", rollout=ONE_AT_A_TIME)))[0]
    actions = world.step(world.step([]))
    world.store.request_stop(made, world.now, rollback=None)
    while actions:
        actions = world.step(actions)
    stopped = world.store.deployment(made)
    assert (stopped.status, stopped.error.code) == (DeploymentStatus.STOPPED, "MANUAL_STOP")
    assert (stopped.overview.Failed, stopped.overview.Skipped) == (1, 1)
    assert [event.status for event in world.store.targets(made)[0].lifecycle_events] == [
        "Succeeded", "Skipped", "Skipped", "Skipped",
    ]  # fmt: skip


def test_stopping_what_has_ended_is_refused_but_stopping_twice_is_not(world):
    made = world.push("1", manifest(group("production"), group("other")))
    world.store.request_stop(made[1], world.now, rollback=None)
    world.settle()
    world.store.request_stop(made[1], world.now, rollback=None)
    with pytest.raises(DeploymentAlreadyCompleted, match="has already succeeded"):
        world.store.request_stop(made[0], world.now, rollback=None)
    with pytest.raises(DeploymentDoesNotExist):
        world.store.request_stop("d-NOTHING00", world.now, rollback=None)


@pytest.mark.parametrize(
    ("configured", "asked", "rolls_back"),
    [((), None, False), ((), True, True), (("DEPLOYMENT_STOP_ON_REQUEST",), None, True),
     (("DEPLOYMENT_STOP_ON_REQUEST",), False, False)],
)  # fmt: skip
def test_a_stop_rolls_back_when_asked_or_configured(world, configured, asked, rolls_back):
    settings = manifest(group("production", rollback_on=configured, rollout=ONE_AT_A_TIME))
    world.push("1", settings)
    world.settle()
    made = world.push("2", settings)[0]
    actions = world.step(world.step([]))
    world.store.request_stop(made, world.now, rollback=asked)
    while actions:
        actions = world.step(actions)
    assert ("production 1 codeDeployRollback" in world.statuses()) is rolls_back


def test_a_hold_waits_and_continue_ends_it(world):
    steps = (
        BatchStep(size=Share(value=1)),
        HoldStep(duration=dt.timedelta(minutes=5)),
        BatchStep(size=Share(value=100, percent=True)),
    )
    made = world.push("1", manifest(group("production", rollout=Rollout(name="r", max_failed=0, steps=steps))))[0]
    with pytest.raises(DeploymentIsNotInReadyState):
        world.store.request_continue(made, world.now)
    world.settle()
    holding = world.store.deployment(made)
    assert (holding.waiting_for, holding.waiting_until) == ("the hold to end", world.now + dt.timedelta(minutes=5))
    assert world.store.advance([], world.now).wake_at == holding.waiting_until
    world.store.request_continue(made, world.now)
    world.settle()
    assert world.store.deployment(made).status is DeploymentStatus.SUCCEEDED
    with pytest.raises(DeploymentAlreadyCompleted):
        world.store.request_continue(made, world.now)


def test_another_repository_cannot_take_an_application(world):
    world.push("1")
    with pytest.raises(ApplicationAlreadyExists, match=r"belongs to penstock.yaml of repository shop"):
        world.store.create_releases(
            "other", [Wish(manifest=manifest(), revision=revision("2"))], "user", Options(), world.now
        )


def test_notifications_are_written_with_what_they_tell(world):
    triggers = (Trigger(to="webhook:ops", on=("DeploymentStart", "InstanceFailure", "DeploymentFailure")),)
    world.fails = lambda event: event.target == "production-1" and event.event == LAST
    world.push("1", manifest(group("production", triggers=triggers, rollout=ONE_AT_A_TIME)))
    world.settle()
    told = []
    while due := world.store.outbox.due_messages(world.now, 100):
        told += [message.event for message in due]
        world.store.outbox.message_sent(due[0].id, world.now)
    assert told == ["DeploymentStart", "InstanceFailure", "DeploymentFailure"]


def test_a_notification_that_failed_holds_up_those_behind_it_and_nobody_else(world):
    triggers = tuple(
        Trigger(to=to, on=("DeploymentStart", "DeploymentSuccess")) for to in ("webhook:ops", "webhook:dev")
    )
    world.push("1", manifest(group("production", triggers=triggers)))
    world.settle()
    later = world.now + dt.timedelta(minutes=1)

    first, second = world.store.outbox.due_messages(world.now, 100)
    world.store.outbox.message_failed(first.id, "refused", later)
    world.store.outbox.message_sent(second.id, world.now)

    assert [(each.to, each.event) for each in world.store.outbox.due_messages(world.now, 100)] == [
        (second.to, "DeploymentSuccess")
    ]
    assert [each.id for each in world.store.outbox.due_messages(later, 100) if each.to == first.to] == [first.id]


def test_a_deployment_without_targets_ended_is_told_nobody(world):
    triggers = (Trigger(to="webhook:ops", on=("DeploymentStop",)),)
    world.push("1", manifest(group("production", triggers=triggers)))
    world.push("2", manifest(group("production", triggers=triggers)))
    world.settle()
    assert world.store.outbox.due_messages(world.now, 100) == []


def test_only_named_groups_are_released_and_wait_for_no_absent_one(world):
    made = world.store.create_releases(
        "shop",
        [Wish(manifest=manifest(), revision=revision("1"), groups=("production",))],
        "user",
        Options(),
        world.now,
    )
    world.settle()
    assert [world.store.deployment(each).place for each in made] == ["shop/production"]
    assert world.statuses() == {"production 1 user": "Succeeded"}


def test_the_state_at_a_glance(world):
    world.push("1")
    world.settle()
    world.push("2")
    world.step([])
    staging, production = world.store.state().groups
    assert staging.active is not None
    assert staging.current.short[0] == "1"
    assert [each.revision.short[0] for each in production.waiting] == ["2"]
    assert {host.target for host in production.hosts} == {"production-1", "production-2"}
