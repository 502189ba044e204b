"""Hook events: invoked once, ended by the answer, given up after an hour; with the real store and functions that the
tests play themselves. Real functions: test_hooks_running.py."""

import asyncio
import base64
import datetime as dt
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from function_cases import FORM, SPEC, job
from store_cases import T0, World
from waiting import until

from runner.aws import AwsError
from runner.errors import Refused, WorldError
from runner.model.aws import AwsPlace
from runner.model.command import Outcome
from runner.model.functions import LambdaState
from runner.model.program import Act, TargetState, Task, TrafficJob
from runner.model.services import EcsSpec, EcsState, Route
from runner.platforms.hooks import WithHooks
from runner.ports import Report

EVENT = "BeforeAllowTraffic"
STATE = LambdaState(function="resize", alias="live", current_version="1", target_version="2")


class Inner:
    """The platform below: remembers what reaches it."""

    def __init__(self) -> None:
        self.acts: list[str] = []
        self.closed = False

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        return "resize", STATE

    async def act(self, task: Task, report: Report) -> Outcome:
        self.acts.append(task.act.event)
        return Outcome(succeeded=True, state=task.state)

    async def close(self) -> None:
        self.closed = True


class Functions:
    """AWS as far as hooks need it. *does*: what an invocation does, in its thread; returns or raises its answer."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, Any]] = []
        self.tried: list[str] = []
        self.refused: dict[str, AwsError] = {}
        self.does: Callable[[dict[str, str]], dict[str, Any]] = lambda payload: {}

    def call(
        self,
        place: AwsPlace,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        patience: float = 60.0,
        timeout: float = 30.0,
    ) -> dict[str, Any]:
        assert (place, service, operation) == (job().place, "lambda", "invoke")
        if params["InvocationType"] == "DryRun":
            self.tried.append(params["FunctionName"])
            if params["FunctionName"] in self.refused:
                raise self.refused[params["FunctionName"]]
            return {}
        assert timeout > 900, "a function may run for 15 minutes"
        self.invoked.append(dict(params))
        return self.does(json.loads(params["Payload"]))


class Rig:
    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.deployment, _ = self.world.push("a")
        self.store, self.inner, self.aws = self.world.store.hooks, Inner(), Functions()
        self.said: list[str] = []
        self.now = T0
        self.platform = self.hooked()
        self.looks = 0

    def hooked(self, *, serves: bool = True) -> WithHooks:
        return WithHooks(self.inner, self.store, self.aws, lambda: self.now, serves)

    def task(self, event: str = EVENT, attempt: int = 1, **changes: Any) -> Task:
        asked = job(
            **{"spec": SPEC.__class__(**_fields(hooks={EVENT: "check"})), "deployment_id": self.deployment, **changes}
        )
        return Task(job=asked, target="resize", act=Act(event=event), attempt=attempt, state=STATE)

    def begin(self, **changes: Any) -> "asyncio.Task[Outcome]":
        return asyncio.create_task(self.platform.act(self.task(**changes), self.said.append))

    def answer(self, payload: dict[str, str], status: Any = "Succeeded") -> None:
        self.store.answer(payload["DeploymentId"], payload["LifecycleEventHookExecutionId"], status, self.now)

    def payload(self, number: int = 0) -> dict[str, str]:
        return dict(json.loads(self.aws.invoked[number]["Payload"]))


def _fields(**changes: Any) -> dict[str, Any]:
    return {"function": "resize", "alias": "live", "current_version": "1", "target_version": "2", **changes}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path)
    yield made
    await made.platform.close()
    made.world.store.close()


def refusal(code: str, *, aws_code: str = "", retryable: bool = False) -> AwsError:
    return AwsError(f"AWS says {code}", code=code, operation="lambda:Invoke", aws_code=aws_code, retryable=retryable)


async def test_the_answer_ends_the_event_and_what_the_function_returns_does_not(rig: Rig) -> None:
    running = rig.begin()
    await until(lambda: any("awaited until" in line for line in rig.said) and bool(rig.aws.invoked))
    (invoked,) = rig.aws.invoked
    assert (invoked["FunctionName"], invoked["InvocationType"], invoked["LogType"]) == (
        "check",
        "RequestResponse",
        "Tail",
    )
    payload = rig.payload()
    assert list(payload) == ["DeploymentId", "LifecycleEventHookExecutionId"]
    assert payload["DeploymentId"] == rig.deployment
    assert not running.done()
    rig.answer(payload)
    assert await running == Outcome(succeeded=True)
    assert rig.inner.acts == []


async def test_a_failed_answer_fails_the_event_with_the_functions_log(rig: Rig) -> None:
    def fails(payload: dict[str, str]) -> dict[str, Any]:
        rig.answer(payload, "Failed")
        log = base64.b64encode("START\nno such table: ordérs\nEND\n".encode()).decode()
        return {"LogResult": log, "FunctionError": "Unhandled", "Payload": b'{"errorMessage": "no"}'}

    rig.aws.does = fails
    outcome = await rig.begin()
    assert (outcome.succeeded, outcome.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert outcome.diagnostics.script_name == "check"
    assert "check has reported Failed for BeforeAllowTraffic" in outcome.diagnostics.message
    assert "/aws/lambda/check" in outcome.diagnostics.message
    assert "[stdout]no such table: ordérs\n" in outcome.diagnostics.log_tail
    assert any("ended with an error (Unhandled)" in line for line in rig.said)


async def test_an_event_without_a_hook_succeeds_without_anybody(rig: Rig) -> None:
    for event in ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "AfterAllowTraffic"):
        assert await rig.begin(event=event) == Outcome(succeeded=True)
    assert (rig.aws.invoked, rig.inner.acts) == ([], [])


async def test_everything_else_is_the_platforms(rig: Rig) -> None:
    for event in ("Publish", "AllowTraffic", "Install", "Check", "Terminate"):
        assert (await rig.begin(event=event)).state == STATE
    assert rig.inner.acts == ["Publish", "AllowTraffic", "Install", "Check", "Terminate"]
    assert rig.platform.inspect(job(FORM)) == ("resize", STATE)
    await rig.platform.close()
    assert rig.inner.closed


async def test_an_event_that_was_cut_off_is_waited_for_and_not_invoked_again(rig: Rig) -> None:
    first = rig.begin()
    await until(lambda: bool(rig.aws.invoked))
    first.cancel()
    await asyncio.wait([first])
    rig.now += dt.timedelta(minutes=30)
    rig.platform = rig.hooked()  # another process
    again = rig.begin()
    await until(lambda: "not invoked twice" in rig.said[-1])
    assert "awaited until 01:00:00 UTC" in rig.said[-1]
    rig.answer(rig.payload())
    assert (await again).succeeded
    assert len(rig.aws.invoked) == 1


async def test_an_answer_that_came_while_nobody_waited_is_found(rig: Rig) -> None:
    first = rig.begin()
    await until(lambda: bool(rig.aws.invoked))
    first.cancel()
    await asyncio.wait([first])
    rig.answer(rig.payload(), "Failed")
    again = await rig.begin()
    assert (again.succeeded, again.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert len(rig.aws.invoked) == 1


async def test_a_process_that_died_between_mark_and_invocation_invokes_nothing(rig: Rig) -> None:
    made = rig.store.begin(rig.task().key, rig.now)
    assert rig.store.mark_invoked(made.id, rig.now)
    running = rig.begin()
    await until(lambda: bool(rig.said))
    rig.now += dt.timedelta(hours=1)
    outcome = await running
    assert outcome.diagnostics.error_code == "ScriptTimedOut"
    assert rig.aws.invoked == []


async def test_another_attempt_is_another_invocation(rig: Rig) -> None:
    rig.aws.does = lambda payload: rig.answer(payload) or {}
    assert (await rig.begin()).succeeded
    assert (await rig.begin(attempt=2)).succeeded
    assert (await rig.begin(attempt=2)).succeeded
    assert len(rig.aws.invoked) == 2


async def test_without_an_answer_it_fails_after_an_hour_and_no_second_earlier(rig: Rig) -> None:
    running = rig.begin()
    await until(lambda: bool(rig.aws.invoked))
    rig.now += dt.timedelta(seconds=3599)
    await asyncio.wait([running], timeout=0.7)  # three looks
    assert not running.done()
    rig.now += dt.timedelta(seconds=1)
    outcome = await running
    assert (outcome.succeeded, outcome.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert "no status callback came" in outcome.diagnostics.message
    with pytest.raises(Exception, match="nobody waits for the hook"):
        rig.answer(rig.payload())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            refusal("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", aws_code="ResourceNotFoundException"),
            "HOOK_EXECUTION_FAILURE",
        ),
        (refusal("IAM_ROLE_PERMISSIONS", aws_code="AccessDeniedException"), "IAM_ROLE_PERMISSIONS"),
        (refusal("IAM_ROLE_MISSING"), "IAM_ROLE_MISSING"),
    ],
)
async def test_what_aws_refuses_to_run_fails_at_once(rig: Rig, error: AwsError, code: str) -> None:
    def refuse(payload: dict[str, str]) -> dict[str, Any]:
        raise error

    rig.aws.does = refuse
    outcome = await rig.begin()
    assert (outcome.succeeded, outcome.code) == (False, code)
    assert "the hook check was not run: AWS says" in outcome.diagnostics.message
    assert not (await rig.begin()).succeeded
    assert len(rig.aws.invoked) == 1


async def test_an_invocation_without_an_answer_is_not_repeated_but_waited_for(rig: Rig) -> None:
    def vanish(payload: dict[str, str]) -> dict[str, Any]:
        raise refusal("TIMEOUT", retryable=True)

    rig.aws.does = vanish
    running = rig.begin()
    await until(lambda: any("It may run all the same" in line for line in rig.said))
    rig.answer(rig.payload())
    assert (await running).succeeded
    assert len(rig.aws.invoked) == 1


async def test_a_throttled_invocation_has_not_run_and_is_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.platforms.hooks.invocation._PAUSE", 0.01)
    turns = iter([True, True, False])

    def throttle(payload: dict[str, str]) -> dict[str, Any]:
        if next(turns):
            raise refusal("THROTTLED", aws_code="TooManyRequestsException", retryable=True)
        rig.answer(payload)
        return {}

    rig.aws.does = throttle
    assert (await rig.begin()).succeeded
    assert len(rig.aws.invoked) == 3


async def test_an_answer_is_not_held_up_by_a_function_that_runs_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.platforms.hooks.run._LOG_AFTERWARDS", 0.05)
    released = threading.Event()

    def lingers(payload: dict[str, str]) -> dict[str, Any]:
        rig.answer(payload)
        released.wait(20)
        return {}

    rig.aws.does = lingers
    assert (await rig.begin()).succeeded
    released.set()


async def test_a_process_that_does_not_listen_fails_at_once_and_says_why(rig: Rig) -> None:
    outcome = await rig.hooked(serves=False).act(rig.task(), rig.said.append)
    assert (outcome.succeeded, outcome.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert "`penstock serve`" in outcome.diagnostics.message
    assert rig.aws.invoked == []
    assert (await rig.hooked(serves=False).act(rig.task("AfterAllowTraffic"), rig.said.append)).succeeded


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            refusal("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", aws_code="ResourceNotFoundException"),
            "HOOK_EXECUTION_FAILURE",
        ),
        (refusal("IAM_ROLE_PERMISSIONS", aws_code="AccessDeniedException"), "IAM_ROLE_PERMISSIONS"),
    ],
)
def test_the_last_hook_is_tried_before_the_first_runs(rig: Rig, error: AwsError, code: str) -> None:
    asked = job(SPEC.__class__(**_fields(hooks={EVENT: "check", "AfterAllowTraffic": "chekc"})))
    rig.aws.refused["chekc"] = error
    with pytest.raises(Refused, match="AfterAllowTraffic has the hook chekc, which could not be invoked") as caught:
        rig.platform.inspect(asked)
    assert caught.value.code == code
    assert (rig.aws.tried, rig.aws.invoked) == (["check", "chekc"], [])
    rig.platform.inspect(job(asked.spec, restoring=STATE))  # a rollback has no hooks
    assert len(rig.aws.tried) == 2


def test_hooks_that_nobody_would_hear_are_refused_beforehand(rig: Rig) -> None:
    hooked = rig.hooked(serves=False)
    with pytest.raises(Refused, match="`penstock serve`"):
        hooked.inspect(rig.task().job)
    assert hooked.inspect(job(SPEC)) == ("resize", STATE)


def test_when_aws_does_not_say_it_is_asked_again_later(rig: Rig) -> None:
    rig.aws.refused["check"] = refusal("THROTTLED", retryable=True)
    with pytest.raises(AwsError):
        rig.platform.inspect(rig.task().job)


@pytest.mark.parametrize("tested", [True, False])
async def test_after_test_traffic_there_is_a_hook_only_where_there_was_test_traffic(rig: Rig, tested: bool) -> None:
    route = Route(listener="prod", test_listener="test" if tested else None, target_groups=("a", "b"))
    hooks = {"AfterAllowTestTraffic": "check"}
    spec = EcsSpec(cluster="c", service="s", container="app", port=80, routes=(route,), hooks=hooks)
    state = EcsState(cluster="c", service="s", controller="EXTERNAL")
    asked = job(spec, deployment_id=rig.deployment)  # type: ignore[arg-type]
    task = Task(job=asked, target="c:s", act=Act(event="AfterAllowTestTraffic"), attempt=1, state=state)
    rig.aws.does = lambda payload: rig.answer(payload) or {}
    assert (await rig.platform.act(task, rig.said.append)).succeeded
    assert len(rig.aws.invoked) == tested


async def test_many_that_wait_cost_one_look_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = rig.store.look

    def counted(ids: Any) -> Any:
        looks.append(len(ids))
        return look(ids)

    monkeypatch.setattr(rig.store, "look", counted)
    running = [rig.begin(attempt=number) for number in range(1, 31)]
    await until(lambda: 30 in looks)
    del looks[:]
    await until(lambda: len(looks) >= 2)
    assert looks[:2] == [30, 30]
    for number in range(30):
        rig.answer(rig.payload(number))
    assert all(outcome.succeeded for outcome in await asyncio.gather(*running))


async def test_a_store_that_cannot_be_read_for_a_while_loses_no_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, broken = rig.store.look, threading.Event()

    def failing(ids: Any) -> Any:
        if not broken.is_set():
            broken.set()
            raise WorldError("the disk is full")
        return look(ids)

    begin, full = rig.store.begin, iter([True, False])

    def beginning(*given: Any) -> Any:
        if next(full):
            raise WorldError("the disk is full")
        return begin(*given)

    monkeypatch.setattr(rig.store, "look", failing)
    monkeypatch.setattr(rig.store, "begin", beginning)
    monkeypatch.setattr("runner.platforms.hooks.run._STORE_AGAIN", 0.01)
    running = rig.begin()
    await until(broken.is_set)
    rig.answer(rig.payload())
    assert (await running).succeeded
