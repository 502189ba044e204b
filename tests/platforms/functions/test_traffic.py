"""AllowTraffic of a Lambda function: what is asked for, and what somebody else has done meanwhile."""

import pytest
from fakes.functions import FakeFunctions, denied, throttled, unanswered
from function_cases import Deployment, fake, job, shift

from runner.model.functions import LambdaState


@pytest.fixture
def aws() -> FakeFunctions:
    return fake()


def begin(aws: FakeFunctions, **changes: object) -> Deployment:
    return Deployment(aws, aws.pace, job(**changes))  # type: ignore[arg-type]


def undoing(aws: FakeFunctions, left: LambdaState) -> Deployment:
    return begin(aws, deployment_id="d-ROLLBACK1", restoring=left)


async def test_a_canary_costs_one_call_for_each_shift_and_two_looks(aws: FakeFunctions) -> None:
    made = begin(aws)
    assert (await made.act(shift(10))).succeeded
    assert aws.split("resize", "live") == {"1": 0.9, "2": 0.1}
    assert made.lambda_state.weight == 10
    assert (await made.act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"2": 1}
    assert (len(aws.made), aws.reads) == (2, 2)
    assert made.said == [
        "The alias live of function resize (eu-west-1) sends its requests to version 1 (90 %) and version 2 (10 %).\n",
        "The alias live of function resize (eu-west-1) sends its requests to version 2.\n",
    ]


@pytest.mark.parametrize("weight", range(1, 100))
async def test_every_weight_is_known_again(aws: FakeFunctions, weight: int) -> None:
    made = begin(aws)
    before = made.state
    assert (await made.act(shift(weight))).succeeded
    made.state = before  # the process died before the outcome was recorded
    assert (await made.act(shift(weight))).succeeded
    assert aws.split("resize", "live")["2"] == pytest.approx(weight / 100)
    assert made.lambda_state.revision_id == "revision-3"


async def test_what_somebody_else_has_set_is_left_and_told(aws: FakeFunctions) -> None:
    made = begin(aws)
    await made.act(shift(10))
    aws.version("resize", "three")
    aws.alias("resize", "live", "1", v3=0.5)
    outcome = await made.act(shift(100))
    assert not outcome.succeeded
    assert outcome.code == "INVALID_LAMBDA_CONFIGURATION"
    said = outcome.diagnostics.message
    assert "changed by somebody else" in said
    assert "it should send its requests to version 1 (90 %) and version 2 (10 %)" in said
    assert "sends them to version 1 (50 %) and version 3 (50 %)" in said
    assert "aws lambda update-alias --region eu-west-1 --function-name resize --name live" in said
    assert aws.split("resize", "live") == {"1": 0.5, "3": 0.5}


async def test_a_stranger_who_changed_no_traffic_is_no_hindrance(aws: FakeFunctions) -> None:
    made = begin(aws)
    await made.act(shift(10))
    aws.alias("resize", "live", "1", v2=0.1)  # a new description, say: another RevisionId
    assert (await made.act(shift(100))).succeeded


async def test_a_read_that_lags_is_not_taken_for_a_stranger(aws: FakeFunctions) -> None:
    made = begin(aws)
    before = made.state
    await made.act(shift(10))
    made.state = before
    aws.lag = 3.0
    assert (await made.act(shift(10))).succeeded
    assert aws.split("resize", "live") == {"1": 0.9, "2": 0.1}


async def test_an_old_read_is_not_taken_for_success(aws: FakeFunctions) -> None:
    """Before the deployment the alias was as the rollback wants it; a stranger has changed it since."""
    made = begin(aws)
    await made.act(shift(10))
    aws.lag = 4.0
    back = undoing(aws, made.lambda_state)
    aws.alias("resize", "live", "2")
    outcome = await back.act(shift(100))
    assert not outcome.succeeded
    assert aws.split("resize", "live") == {"2": 1}


async def test_an_alias_that_is_gone_fails_the_act(aws: FakeFunctions) -> None:
    made = begin(aws)
    aws.remove_alias("resize", "live")
    outcome = await made.act(shift(10))
    assert (outcome.succeeded, outcome.code) == (False, "INVALID_LAMBDA_CONFIGURATION")
    assert "alias live of function resize" in outcome.diagnostics.message


async def test_a_missing_permission_fails_at_once(aws: FakeFunctions) -> None:
    made = begin(aws)

    def refuse(operation: str) -> None:
        raise denied()

    aws.before = refuse
    outcome = await made.act(shift(10))
    assert (outcome.succeeded, outcome.code) == (False, "IAM_ROLE_PERMISSIONS")


async def test_what_a_failed_act_had_done_before_a_crash_is_undone(aws: FakeFunctions) -> None:
    made = begin(aws)
    before = made.state
    await made.act(shift(100))
    made.state = before  # not recorded; and when the act is done again, it may not any more

    def refuse(operation: str) -> None:
        raise denied()

    aws.before = refuse
    assert not (await made.act(shift(100))).succeeded
    aws.before = lambda operation: None
    assert (await undoing(aws, made.lambda_state).act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"1": 1}


async def test_throttling_and_silence_are_waited_out_for_an_hour(aws: FakeFunctions) -> None:
    made = begin(aws)
    since = aws.now

    def refuse(operation: str) -> None:
        if aws.now < since + 3000:
            raise throttled() if int(aws.now) % 2 else unanswered()

    aws.before = refuse
    assert (await made.act(shift(10))).succeeded
    assert any("Trying again" in line for line in made.said)


async def test_after_an_hour_the_act_fails_and_the_state_tells_what_may_have_happened(aws: FakeFunctions) -> None:
    made = begin(aws)

    def swallow(operation: str) -> None:
        raise unanswered()

    aws.after = swallow
    outcome = await made.act(shift(10))
    assert (outcome.succeeded, outcome.code) == (False, "TIMEOUT")
    assert (made.lambda_state.weight, made.lambda_state.attempted) == (0, 10)
    assert aws.split("resize", "live") == {"1": 0.9, "2": 0.1}
    aws.after = lambda operation: None
    back = undoing(aws, made.lambda_state)
    assert (await back.act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"1": 1}


@pytest.mark.parametrize("weights", [[10], [10, 60], [10, 100], [100]])
async def test_a_rollback_gives_all_back_to_the_former_version(aws: FakeFunctions, weights: list[int]) -> None:
    made = begin(aws)
    for weight in weights:
        await made.act(shift(weight))
    back = undoing(aws, made.lambda_state)
    assert (back.lambda_state.current_version, back.lambda_state.target_version) == ("2", "1")
    assert (await back.act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"1": 1}
    assert back.lambda_state.weight == 100


async def test_a_rollback_of_what_never_moved_changes_nothing(aws: FakeFunctions) -> None:
    made = begin(aws)
    aws.made.clear()
    back = undoing(aws, made.lambda_state)
    assert (await back.act(shift(100))).succeeded
    assert aws.made == []
    assert "nothing to undo" in back.said[-1]


async def test_a_rollback_after_somebody_put_it_back_by_hand_succeeds(aws: FakeFunctions) -> None:
    made = begin(aws)
    await made.act(shift(10))
    aws.alias("resize", "live", "1")
    back = undoing(aws, made.lambda_state)
    assert (await back.act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"1": 1}


async def test_a_rollback_leaves_what_somebody_else_has_set(aws: FakeFunctions) -> None:
    made = begin(aws)
    await made.act(shift(10))
    aws.version("resize", "three")
    aws.alias("resize", "live", "3")
    back = undoing(aws, made.lambda_state)
    outcome = await back.act(shift(100))
    assert (outcome.succeeded, outcome.code) == (False, "INVALID_LAMBDA_CONFIGURATION")
    assert aws.split("resize", "live") == {"3": 1}


async def test_an_act_that_functions_do_not_have_fails(aws: FakeFunctions) -> None:
    made = begin(aws)
    outcome = await made.act(shift(10).__class__(event="Terminate"))
    assert (outcome.succeeded, outcome.code) == (False, "INTERNAL_ERROR")
