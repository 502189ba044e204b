"""What must hold of every deployment whose traffic moves, whatever goes wrong and whoever interferes, after every call.

Store, driver and platforms are the real ones; AWS and time are simulated.
"""

import datetime as dt
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from execute.simulated_function import CURRENT, FunctionSide
from execute.simulated_service import ORIGINAL, ServiceSide
from execute.traffic_simulation import CONTINUE, DENIED, HALF_WAY, PEOPLE, WORLD, Happenings, Simulation
from generated import cases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from platforms.services.fake_world import named_in
from platforms.services.service_deployments import BLUE, GREEN, PRODUCTION, TEST

from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.manifest import BlueGreen
from runner.model.rollout import HoldStep, Rollout, RolloutStep, ShiftStep

SUCCEEDED = DeploymentStatus.SUCCEEDED
MINUTE = dt.timedelta(minutes=1)
ROLLBACKS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
OFTEN = ("stop", "stop and go back", "stop and go back", "alarm", "alarm", "stranger", "stranger", "stranger")
assert {*OFTEN} == {*PEOPLE}

thorough = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining traces every line of the fakes
)


@st.composite
def happenings(draw: st.DrawFn, calls: int, *, begins: int = 0, decisive: bool = False) -> Happenings:
    """*calls*: about how many a deployment makes; it has begun by number *begins*. *decisive*: something happens that may
    end it otherwise than well.
    """

    def some(numbers: int, kinds: Sequence[str], least: int, most: int) -> dict[int, str]:
        chosen = st.dictionaries(st.integers(0, numbers), st.sampled_from(kinds), min_size=least, max_size=most)
        return draw(chosen)

    at_calls, at_rests = some(calls, WORLD, 1, 4), some(5, (HALF_WAY, CONTINUE), 0, 2)
    for _ in range(draw(st.integers(1, 2)) if decisive else 0):
        if draw(st.booleans()):
            at_rests = {**at_rests, draw(st.integers(0, 5)): draw(st.sampled_from(OFTEN))}
        else:
            at_calls = {**at_calls, draw(st.integers(begins, calls)): draw(st.sampled_from((*OFTEN, DENIED, DENIED)))}
    return Happenings(calls=at_calls, rests=at_rests, saves=some(25, ("crash before", "crash after"), 0, 2))


WEIGHTS = st.lists(st.integers(1, 99), max_size=3, unique=True).map(lambda some: [*sorted(some), 100])


def rollout(weights: Sequence[int]) -> Rollout:
    """A minute between every two weights."""
    steps: list[RolloutStep] = []
    for weight in weights:
        steps += [ShiftStep(percent=weight), HoldStep(duration=MINUTE)]
    return Rollout(name="custom", steps=tuple(steps[:-1]))


async def deployed(side: Any, happening: Happenings, **group: Any) -> tuple[Simulation, list[Deployment]]:
    """All that was deployed, once it has ended."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        simulation = Simulation(Path(folder), side, happening)
        try:
            made = simulation.deploy(**group)
            await simulation.run()
            assert not simulation.wrong, "\n".join(simulation.wrong)
            return simulation, simulation.ended(made)
        finally:
            simulation.close()


def held(reached: Sequence[tuple[float, float]], simulation: Simulation) -> bool:
    """Whether at least a minute lay between any two weights."""
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(reached)]
    return "hold" in simulation.continued or all(gap >= MINUTE.total_seconds() for gap in gaps)


@pytest.mark.generated
@settings(thorough, max_examples=cases(80))
@given(st.sampled_from([0.0, 0.4, 4.4]), st.booleans(), WEIGHTS, happenings(12))
async def test_a_function_s_deployment_succeeds_whatever_breaks_on_the_way(
    lag: float, publishes: bool, weights: list[int], happening: Happenings
) -> None:
    side = FunctionSide(lag=lag, publishes=publishes)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights))
    assert [each.status for each in ended] == [SUCCEEDED], ended[0].error
    assert side.split() == {side.target: 1}
    assert [weight for _, weight in side.reached] == weights
    assert held(side.reached, simulation)
    assert len(side.published()) == publishes


@pytest.mark.generated
@settings(thorough, max_examples=cases(120))
@given(
    st.sampled_from([0.0, 0.4, 4.4]),
    st.booleans(),
    WEIGHTS,
    st.sampled_from([(), ROLLBACKS]),
    happenings(14, begins=2, decisive=True),
)
async def test_a_function_s_deployment_that_is_interfered_with_ends_and_overwrites_nothing(
    lag: float, publishes: bool, weights: list[int], rollbacks: tuple[Any, ...], happening: Happenings
) -> None:
    side = FunctionSide(lag=lag, publishes=publishes)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights), rollback_on=rollbacks)
    assert held(side.reached, simulation)
    for deployment in ended:
        check_that_it_ended_for_a_reason(simulation, deployment)
    if was_meddled_with(simulation):
        return
    if ended[0].status is SUCCEEDED:
        assert side.split() == {side.target: 1}
    elif ended[-1].status is SUCCEEDED:
        assert side.split() == {CURRENT: 1}


WAITS = st.builds(
    BlueGreen,
    ready_wait=st.none(),
    termination_wait=st.sampled_from([None, dt.timedelta(0), MINUTE]),
)


@pytest.mark.generated
@settings(thorough, max_examples=cases(60))
@given(st.sampled_from([0.0, 0.0, 2.0]), st.integers(1, 4), WEIGHTS, WAITS, happenings(40))
async def test_a_service_s_deployment_succeeds_whatever_breaks_on_the_way(
    lag: float, desired: int, weights: list[int], waits: BlueGreen, happening: Happenings
) -> None:
    side = ServiceSide(lag=lag, desired=desired, waits=waits)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights))
    assert [each.status for each in ended] == [SUCCEEDED], ended[0].error
    check_that_it_serves(side, ended[0])
    assert [weight for _, weight in side.reached] == weights
    assert held(side.reached, simulation)


@pytest.mark.generated
@settings(thorough, max_examples=cases(120))
@given(
    st.sampled_from([0.0, 0.0, 2.0]),
    st.sampled_from([False, False, False, True]),
    WEIGHTS,
    WAITS,
    st.sampled_from([(), ROLLBACKS]),
    happenings(45, begins=7, decisive=True),
)
async def test_a_service_s_deployment_that_is_interfered_with_ends_and_overwrites_nothing(
    lag: float,
    broken: bool,
    weights: list[int],
    waits: BlueGreen,
    rollbacks: tuple[Any, ...],
    happening: Happenings,
) -> None:
    side = ServiceSide(lag=lag, broken=broken, waits=waits)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights), rollback_on=rollbacks)
    assert held(side.reached, simulation)
    for deployment in ended:
        if not (broken and deployment is ended[0]) and (deployment is ended[0] or side.has_original()):
            check_that_it_ended_for_a_reason(simulation, deployment)
    if was_meddled_with(simulation):
        return
    if ended[0].status is SUCCEEDED:
        assert not broken
        check_that_it_serves(side, ended[0])
    elif ended[-1].status is SUCCEEDED:
        check_that_it_is_as_before(side)


def was_meddled_with(simulation: Simulation) -> bool:
    return any(event == "stranger" for _, event in simulation.met)


def check_that_it_ended_for_a_reason(simulation: Simulation, deployment: Deployment) -> None:
    """Succeeded, also as a rollback, unless something has happened to it; what somebody else changes stays changed."""
    happened = {event for of, event in simulation.met if of == deployment.id or event == "stranger"}
    assert deployment.status is SUCCEEDED or happened, deployment.error


def check_that_it_serves(side: ServiceSide, deployment: Deployment) -> None:
    side.advance(60)
    original = [] if deployment.settings.blue_green.termination_wait is not None else [("ACTIVE", "")]
    assert [(each.status, each.external) for each in side.sets] == [*original, ("PRIMARY", deployment.id)]
    assert named_in(side.world.listeners[PRODUCTION]) == {BLUE: 0, GREEN: 100}


def check_that_it_is_as_before(side: ServiceSide) -> None:
    side.advance(60)
    assert [(each.id, each.status) for each in side.sets] == [(ORIGINAL, "PRIMARY")]
    for entrance in (PRODUCTION, TEST):
        weights = named_in(side.world.listeners[entrance])
        assert {arn for arn, weight in weights.items() if weight} == {BLUE}
