"""Runs of hooks, as the store keeps them."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_cases import T0, World

from runner.errors import Refused
from runner.ports.hooks import HookKey, HookStore

LATER = T0 + dt.timedelta(minutes=1)


@pytest.fixture
def deployment(world: World) -> str:
    staging, _ = world.push("a")
    return staging


def key(deployment: str, event: str = "BeforeAllowTraffic", attempt: int = 1) -> HookKey:
    return (deployment, "resize", event, attempt)


def refused(hooks: HookStore, deployment: str, execution_id: str) -> str:
    with pytest.raises(Refused) as caught:
        hooks.answer(deployment, execution_id, "Succeeded", LATER)
    return caught.value.code


def test_a_key_has_one_execution_for_ever(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    assert (made.status, made.invoked_at, made.key) == ("InProgress", None, key(deployment))
    assert hooks.begin(key(deployment), LATER) == made
    others = [hooks.begin(key(deployment, "AfterAllowTraffic"), T0), hooks.begin(key(deployment, attempt=2), T0)]
    assert len({made.id, *(each.id for each in others)}) == 3
    assert hooks.look([made.id, others[0].id, "nobody"]) == {made.id: made, others[0].id: others[0]}


def test_only_one_of_many_may_invoke_it(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda number: hooks.mark_invoked(made.id, LATER), range(40)))
    assert won.count(True) == 1
    assert hooks.look([made.id])[made.id].invoked_at == LATER


def test_a_mark_survives_the_process(world: World, deployment: str, tmp_path: Path) -> None:
    made = world.store.hooks.begin(key(deployment), T0)
    assert world.store.hooks.mark_invoked(made.id, LATER)
    world.store.close()
    again = World(tmp_path).store
    assert again.hooks.begin(key(deployment), LATER) == made._replace(invoked_at=LATER)
    assert not again.hooks.mark_invoked(made.id, LATER)
    again.close()


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_the_first_answer_counts(world: World, deployment: str, status: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    hooks.answer(deployment, made.id, status, LATER)  # type: ignore[arg-type]
    ended = hooks.look([made.id])[made.id]
    assert (ended.status, ended.ended_at) == (status, LATER)
    assert refused(hooks, deployment, made.id) == "LifecycleEventAlreadyCompletedException"
    assert hooks.give_up(made.id, LATER + dt.timedelta(hours=1)) == ended


def test_what_was_given_up_takes_no_answer_and_is_not_invoked(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    assert hooks.give_up(made.id, LATER).status == "GivenUp"
    assert refused(hooks, deployment, made.id) == "LifecycleEventAlreadyCompletedException"
    assert not hooks.mark_invoked(made.id, LATER)


def test_an_id_answers_only_for_its_own_deployment(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    world.settle()
    other, _ = world.push("b")
    for name, execution_id in ((other, made.id), (deployment, "nobody"), (deployment, "")):
        assert refused(hooks, name, execution_id) == "InvalidLifecycleEventHookExecutionIdException"


def test_after_the_deployment_has_ended_an_answer_is_too_late(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = hooks.begin(key(deployment), T0)
    world.settle()
    assert refused(hooks, deployment, made.id) == "LifecycleEventAlreadyCompletedException"


def test_hundreds_are_looked_at_at_once(world: World, deployment: str) -> None:
    hooks = world.store.hooks
    made = [hooks.begin(key(deployment, attempt=number), T0) for number in range(450)]
    assert len(hooks.look([each.id for each in made])) == 450
