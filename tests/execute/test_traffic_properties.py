"""What must hold of every deployment whose traffic moves, whatever goes wrong and whoever interferes, after every call.

Store, driver and platforms are the real ones; AWS and time are simulated.
"""

import datetime as dt
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from platforms.services.fake_world import named_in
from platforms.services.service_deployments import BLUE, GREEN, PRODUCTION, TEST

from execute.simulated_function import CURRENT, FunctionSide
from execute.simulated_service import ORIGINAL, ServiceSide
from execute.traffic_simulation import CONTINUE, DENIED, HALF_WAY, PEOPLE, WORLD, Happenings, Simulation
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.manifest import BlueGreen
from runner.model.rollout import HoldStep, Rollout, RolloutStep, ShiftStep

SUCCEEDED = DeploymentStatus.SUCCEEDED
MINUTE = dt.timedelta(minutes=1)
ROLLBACKS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
DECISIVE = {"stop", "stop and go back", "alarm", "meddled", DENIED}

thorough = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining traces every line of the fakes
)


def at(numbers: int, *kinds: str) -> st.SearchStrategy[dict[int, str]]:
    """Some things happen at some of so many moments."""
    return st.dictionaries(st.integers(0, numbers), st.sampled_from(kinds), max_size=4)


def happenings(calls: int, *kinds: str) -> st.SearchStrategy[Happenings]:
    rests = (HALF_WAY, CONTINUE, *(each for each in kinds if each in PEOPLE))
    saves = ("crash before", "crash after")
    return st.builds(Happenings, calls=at(calls, *kinds), rests=at(5, *rests), saves=at(25, *saves))


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


@settings(thorough, max_examples=60)
@given(st.sampled_from([0.0, 0.4, 4.4]), st.booleans(), WEIGHTS, happenings(20, *WORLD))
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


@settings(thorough, max_examples=80)
@given(
    st.sampled_from([0.0, 0.4, 4.4]),
    st.booleans(),
    WEIGHTS,
    st.sampled_from([(), ROLLBACKS]),
    happenings(30, *WORLD, *PEOPLE, DENIED),
)
async def test_a_function_s_deployment_that_is_interfered_with_ends_and_overwrites_nothing(
    lag: float, publishes: bool, weights: list[int], rollbacks: tuple[Any, ...], happening: Happenings
) -> None:
    side = FunctionSide(lag=lag, publishes=publishes)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights), rollback_on=rollbacks)
    assert held(side.reached, simulation)
    if "meddled" in simulation.happened:
        return
    if ended[0].status is SUCCEEDED:
        assert side.split() == {side.target: 1}
    elif len(ended) == 2 and ended[1].status is SUCCEEDED:
        assert side.split() == {CURRENT: 1}
    if not simulation.happened & DECISIVE:
        assert ended[0].status is SUCCEEDED


WAITS = st.builds(
    BlueGreen,
    ready_wait=st.none(),
    termination_wait=st.sampled_from([None, dt.timedelta(0), MINUTE]),
)


@settings(thorough, max_examples=40)
@given(st.sampled_from([0.0, 0.0, 2.0]), st.integers(1, 4), WEIGHTS, WAITS, happenings(70, *WORLD))
async def test_a_service_s_deployment_succeeds_whatever_breaks_on_the_way(
    lag: float, desired: int, weights: list[int], waits: BlueGreen, happening: Happenings
) -> None:
    side = ServiceSide(lag=lag, desired=desired, waits=waits)
    simulation, ended = await deployed(side, happening, rollout=rollout(weights))
    assert [each.status for each in ended] == [SUCCEEDED], ended[0].error
    check_that_it_serves(side, ended[0])
    assert [weight for _, weight in side.reached] == weights
    assert held(side.reached, simulation)


@settings(thorough, max_examples=60)
@given(
    st.sampled_from([0.0, 0.0, 2.0]),
    st.sampled_from([False, False, False, True]),
    WEIGHTS,
    WAITS,
    st.sampled_from([(), ROLLBACKS]),
    happenings(90, *WORLD, *PEOPLE, DENIED),
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
    if "meddled" in simulation.happened:
        return
    if ended[0].status is SUCCEEDED:
        check_that_it_serves(side, ended[0])
    elif len(ended) == 2 and ended[1].status is SUCCEEDED:
        check_that_it_is_as_before(side)
    if not simulation.happened & DECISIVE:
        assert (ended[0].status is SUCCEEDED) is not broken


def check_that_it_serves(side: ServiceSide, deployment: Deployment) -> None:
    side.advance(60)
    original = [] if deployment.settings.blue_green.termination_wait is not None else [("ACTIVE", "")]
    assert [(each.status, each.external) for each in side.sets] == [*original, ("PRIMARY", deployment.id)]
    assert named_in(side.world.listeners[PRODUCTION]) == {BLUE: 0, GREEN: 100}


def check_that_it_is_as_before(side: ServiceSide) -> None:
    side.advance(60)
    assert [(each.id, each.status) for each in side.sets] == [(ORIGINAL, "PRIMARY")]
    assert [named_in(side.world.listeners[each]) for each in (PRODUCTION, TEST)] == [{BLUE: 1}, {BLUE: 1}]
