"""Tasks that do not run, targets that are not healthy, an AWS that does not answer: what is waited for and what is said."""

import asyncio
import datetime as dt
import threading

import msgspec
import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.service_deployments import (
    CANARY,
    GREEN,
    ROLLBACK,
    SPEC,
    Deployment,
    blue_green_world,
    definition,
)
from waiting import until

from runner.model.program import Task


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(blue_green_world())


def test_tasks_that_keep_stopping_end_the_deployment_early_and_say_why(cloud: FakeCloud) -> None:
    cloud.world.register("api", **definition("broken"))
    began = cloud.world.now
    outcome = Deployment(cloud).run(CANARY)
    assert not outcome.succeeded and outcome.code == "ECS_UPDATE_ERROR"
    assert cloud.world.now - began < 60
    said = outcome.diagnostics.message
    assert "keep stopping" in said
    assert "tasks: Essential container in task exited (api: no DATABASE_URL, exit code 1)" in said
    assert "event 12:00:" in said and "has stopped 1 running tasks" in said
    assert "waiting: task set ecs-svc/2" in outcome.diagnostics.log_tail


def test_a_failed_installation_can_be_undone(cloud: FakeCloud) -> None:
    cloud.world.register("api", **definition("broken"))
    deployment = Deployment(cloud)
    assert not deployment.run(CANARY).succeeded
    deployment.undo().succeed(ROLLBACK)
    cloud.advance(60)
    assert [each.id for each in cloud.world.fleets["prod", "api"].sets] == ["ecs-svc/1"]


def test_tasks_that_never_start_are_given_up_after_the_limit(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.services.fake_world.START", 100_000.0)
    outcome = Deployment(cloud, limit=dt.timedelta(minutes=2)).run(CANARY)
    assert outcome.code == "TIMEOUT"
    assert "after 0:02:00" in outcome.diagnostics.message
    assert "0 of 2 tasks run, 2 pending" in outcome.diagnostics.message


def test_targets_that_never_get_healthy_are_given_up_and_named(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(cloud, limit=dt.timedelta(minutes=1))
    deployment.inspect()
    monkeypatch.setattr("platforms.services.fake_world.HEALTHY", 100_000.0)
    outcome = deployment.run(CANARY)
    assert outcome.code == "TIMEOUT"
    assert "target group api-green: 2 healthy targets are needed, there are 2 initial" in outcome.diagnostics.message
    assert not any("_primary" in operation for operation, _ in cloud.changes)


def test_no_traffic_goes_to_a_replacement_that_has_become_sick(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(cloud, limit=dt.timedelta(minutes=1))
    deployment.succeed(CANARY[:2])
    monkeypatch.setattr("platforms.services.fake_world.HEALTHY", 100_000.0)
    changes = len(cloud.changes)
    outcome = deployment.act(CANARY[2])
    assert outcome.code == "TIMEOUT" and len(cloud.changes) == changes


def test_throttling_is_waited_out(cloud: FakeCloud) -> None:
    cloud.throttled = set(range(1, 200, 2)) - {1, 3, 5, 7}
    deployment = Deployment(cloud)
    deployment.succeed()
    assert any("trying again" in line and "throttled" in line for line in deployment.said)


def test_an_aws_that_stays_silent_ends_the_act_at_its_limit_and_keeps_what_is_known(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud, limit=dt.timedelta(minutes=1))
    deployment.succeed(CANARY[:2])
    cloud.silent = True
    began = cloud.world.now
    outcome = deployment.act(CANARY[2])
    assert outcome.code == "THROTTLED"
    assert 60 <= cloud.world.now - began < 70
    assert outcome.state is not None
    cloud.silent = False
    deployment.succeed(CANARY[2:])


def test_a_new_read_that_lags_behind_does_not_make_a_second_task_set(cloud: FakeCloud) -> None:
    cloud.lag = 4.0
    document = {"family": "api", **definition("api:9")}
    deployment = Deployment(cloud, msgspec.structs.replace(SPEC, task_definition=None, document=document))
    state = deployment.succeed(CANARY[:1])
    deployment.state = msgspec.structs.replace(state, replacement=None, task_definition=None)
    again = deployment.succeed(CANARY[:1])
    assert again.replacement is not None and state.replacement is not None
    assert again.replacement.id == state.replacement.id
    assert len(cloud.world.fleets["prod", "api"].sets) == 2
    assert again.replacement.target_group == GREEN


async def test_an_act_that_is_cut_off_leaves_the_rest_undone(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    begun = await asyncio.to_thread(deployment.succeed, CANARY[:3])
    writing, go_on = threading.Event(), threading.Event()

    def hold(operation: str, params: dict[str, object]) -> None:
        if operation == "modify_listener":
            writing.set()
            assert go_on.wait(20)

    undo = deployment.undo()
    state = await asyncio.to_thread(undo.inspect)
    changes = len(cloud.changes)
    cloud.on_call = hold
    task = Task(job=undo.job, target="prod:api", act=ROLLBACK[0], attempt=1, state=state)
    act = asyncio.create_task(undo.platform().act(task, undo.said.append))
    await asyncio.to_thread(writing.wait, 20)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    go_on.set()
    await until(lambda: len(cloud.changes) > changes)
    await asyncio.to_thread(_end_of_threads)
    assert len(cloud.changes) == changes + 1, "the call under way, and nothing after it"
    assert begun.weight == 10


def _end_of_threads() -> None:
    """Until the thread that went on without its act has ended."""
    for thread in threading.enumerate():
        if thread.name == "penstock-blocking":
            thread.join(20)
