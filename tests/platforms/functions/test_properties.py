"""Deployments to a function on which anything may go wrong before and after any call: what always holds.

Whoever drives is as the engine is: an act that was cut off is done again with the state from before, a failed one ends
the deployment, and a rollback undoes what its state says.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes.functions import FakeFunctions, denied, throttled, unanswered
from function_cases import CODE, FORM, PUBLISH, SPEC, Deployment, fake, job, shift
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.aws import AwsError
from runner.model.command import Outcome
from runner.model.program import Act, TrafficJob

FOREIGN = "7"  # a version that no deployment here has to do with
TROUBLES = ("throttled", "unanswered before", "unanswered after", "crash before", "crash after")
MEDDLING = (*TROUBLES, "stranger before", "stranger after", "denied")


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Fate:
    """What happens at each call, in order; nothing more happens once it is used up."""

    aws: FakeFunctions
    events: list[str | None]
    overwritten: list[str] = field(default_factory=list)
    strangers: int = 0

    def __post_init__(self) -> None:
        self._now: str | None = None
        self.aws.before, self.aws.after = self._before, self._after

    def _before(self, operation: str) -> None:
        self._now = self.events.pop(0) if self.events else None
        self._happen({"crash before": Crash, "unanswered before": unanswered, "throttled": throttled, "denied": denied})
        if self._now == "stranger before":
            self._meddle()
        self._served = set(self.aws.split("resize", "live"))

    def _after(self, operation: str) -> None:
        if operation == "update_alias" and FOREIGN in self._served:
            self.overwritten.append(operation)
        self._happen({"crash after": Crash, "unanswered after": unanswered})
        if self._now == "stranger after":
            self._meddle()

    def _happen(self, raised: dict[str, Callable[[], BaseException]]) -> None:
        if self._now in raised:
            raise raised[self._now]()

    def _meddle(self) -> None:
        self.strangers += 1
        self.aws.alias("resize", "live", "1", **{f"v{FOREIGN}": 0.25})


def world(lag: float, events: list[str | None]) -> tuple[FakeFunctions, Fate]:
    aws = fake(lag=lag)
    for number in range(3, 8):
        aws.version("resize", f"code {number}")
    aws.objects[CODE.bucket, CODE.key, "v-2"] = "pinned"
    aws.now += 60
    return aws, Fate(aws, [None, None, *events])  # the inspection goes well


async def carried_out(made: Deployment, act: Act) -> Outcome:
    """The act's outcome, however often the process dies meanwhile."""
    while True:
        before = made.state
        try:
            return await made.act(act)
        except Crash:
            made.state = before


def begun(aws: FakeFunctions, asked: TrafficJob) -> Deployment | None:
    """The inspection is repeated, too; None when it is refused for good."""
    while True:
        try:
            return Deployment(aws, aws.pace, asked)
        except Crash:
            pass
        except AwsError as error:
            if not error.retryable:
                return None


def in_order(aws: FakeFunctions, target: str) -> list[float]:
    """The target's weight after each change of the alias."""
    changes = [params for operation, params in aws.made if operation == "update_alias"]
    return [
        1.0 if each["FunctionVersion"] == target else each["RoutingConfig"]["AdditionalVersionWeights"].get(target, 0.0)
        for each in changes
    ]


LAGS = st.sampled_from([0.0, 0.4, 2.0, 4.4])
WEIGHTS = st.lists(st.integers(1, 99), max_size=4, unique=True).map(lambda some: [*sorted(some), 100])


def events(*kinds: str) -> Any:
    return st.lists(st.sampled_from((None, None, *kinds)), max_size=25)


@settings(max_examples=300, deadline=None)
@given(LAGS, WEIGHTS, events(*TROUBLES), st.booleans())
async def test_without_strangers_every_deployment_ends_well_at_every_weight(
    lag: float, weights: list[int], events: list[str | None], publishes: bool
) -> None:
    aws, fate = world(lag, events)
    made = Deployment(aws, aws.pace, job(FORM if publishes else SPEC))
    if publishes:
        assert (await carried_out(made, PUBLISH)).succeeded
    target = "8" if publishes else "2"
    for weight in weights:
        outcome = await carried_out(made, shift(weight))
        assert outcome.succeeded, outcome
        assert made.lambda_state.weight == weight
        expected = {"1": round(1 - weight / 100, 6), target: weight / 100} if weight < 100 else {target: 1}
        assert aws.split("resize", "live") == expected
    assert len(aws.versions("resize")) == (8 if publishes else 7)
    assert in_order(aws, target) == sorted(in_order(aws, target))
    assert not fate.overwritten


@settings(max_examples=300, deadline=None)
@given(LAGS, WEIGHTS, events(*MEDDLING), st.integers(0, 5))
async def test_with_strangers_nothing_of_theirs_is_overwritten_and_no_success_is_claimed(
    lag: float, weights: list[int], events: list[str | None], steps: int
) -> None:
    aws, fate = world(lag, events)
    made, failed = Deployment(aws, aws.pace, job(SPEC)), False
    for weight in weights[:steps]:
        outcome = await carried_out(made, shift(weight))
        assert not fate.overwritten
        if not outcome.succeeded:
            failed = True
            break
        assert in_order(aws, "2")[-1] == weight / 100
    if fate.strangers == 0 and not failed:
        assert set(aws.split("resize", "live")) <= {"1", "2"}
    back = begun(aws, job(SPEC, deployment_id="d-ROLLBACK1", restoring=made.state))
    if back is None:
        return
    moved = made.lambda_state.weight > 0 or made.lambda_state.attempted is not None
    aws.made.clear()
    outcome = await carried_out(back, shift(100))
    assert not fate.overwritten
    if outcome.succeeded:
        assert in_order(aws, "1")[-1:] == ([1.0] if moved else [])
        assert fate.strangers or aws.split("resize", "live") == {"1": 1}
