"""Publish: the pinned object becomes a version, once, whatever happens in between."""

import pytest
from fakes.functions import FakeFunctions, refusal
from function_cases import CODE, FORM, PUBLISH, Deployment, fake, job, shift

THREE = (CODE.bucket, CODE.key, "v-2")


@pytest.fixture
def aws() -> FakeFunctions:
    made = fake()
    made.objects[THREE] = "three"
    return made


def begin(aws: FakeFunctions) -> Deployment:
    return Deployment(aws, aws.pace, job(FORM))


async def test_the_very_object_becomes_a_version_and_says_whose_it_is(aws: FakeFunctions) -> None:
    made = begin(aws)
    assert (await made.act(PUBLISH)).succeeded
    assert made.lambda_state.target_version == "3"
    update, publish = aws.made
    assert update[1] == {
        "FunctionName": "resize",
        "S3Bucket": "acme",
        "S3Key": "resize.zip",
        "S3ObjectVersion": "v-2",
    }
    assert publish[1]["CodeSha256"] == "three"
    assert aws.versions("resize")[-1]["Description"] == "d-ABCDEFGHI s3://acme/resize.zip?versionId=v-2"
    assert (await made.act(shift(100))).succeeded
    assert aws.split("resize", "live") == {"3": 1}


async def test_it_waits_until_the_code_is_in_place(aws: FakeFunctions) -> None:
    aws.takes_code_for = 40.0
    aws.lag = 2.0
    made = begin(aws)
    since = aws.now
    assert (await made.act(PUBLISH)).succeeded
    assert aws.now - since >= 40
    assert made.lambda_state.target_version == "3"


async def test_it_waits_for_somebody_elses_change_of_the_function(aws: FakeFunctions) -> None:
    aws.takes_code_for = 10.0
    aws.call(job().place, "lambda", "update_function_code", {"FunctionName": "resize", **_source()})
    made = begin(aws)
    assert (await made.act(PUBLISH)).succeeded
    assert [line for line in made.said if "another change is under way" in line]


def _source() -> dict[str, str]:
    return {"S3Bucket": "acme", "S3Key": "resize.zip", "S3ObjectVersion": "v-2"}


@pytest.mark.parametrize("lag", [0.0, 3.0])
@pytest.mark.parametrize("died_after", range(1, 6))
async def test_a_crash_after_any_call_makes_no_second_version(aws: FakeFunctions, died_after: int, lag: float) -> None:
    aws.takes_code_for, aws.lag = 1.0, lag
    made, calls = begin(aws), 0

    def die(operation: str) -> None:
        nonlocal calls
        calls += 1
        if calls == died_after:
            raise KeyboardInterrupt

    aws.after = die
    before = made.state
    try:
        await made.act(PUBLISH)
    except KeyboardInterrupt:
        pass
    made.state = before
    assert (await made.act(PUBLISH)).succeeded
    assert made.lambda_state.target_version == "3"
    assert len(aws.versions("resize")) == 3


async def test_code_that_the_alias_serves_already_leaves_nothing_to_move(aws: FakeFunctions) -> None:
    aws.objects[THREE] = "two"
    aws.alias("resize", "live", "2")
    made = begin(aws)
    assert (await made.act(PUBLISH)).succeeded
    assert "serves version 2 already" in made.said[-1]
    aws.made.clear()
    for weight in (10, 100):
        assert (await made.act(shift(weight))).succeeded
        assert made.lambda_state.weight == weight
    assert aws.made == []


async def test_other_code_in_between_fails_and_makes_no_version(aws: FakeFunctions) -> None:
    made = begin(aws)

    def meddle(operation: str) -> None:
        if operation == "update_function_code":
            aws.after = lambda operation: None
            aws.code("resize", "foreign")

    aws.after = meddle
    outcome = await made.act(PUBLISH)
    assert (outcome.succeeded, outcome.code) == (False, "INVALID_LAMBDA_FUNCTION")
    assert "given other code by somebody else" in outcome.diagnostics.message
    assert len(aws.versions("resize")) == 2


async def test_other_code_while_it_waits_fails(aws: FakeFunctions) -> None:
    aws.takes_code_for = 60.0
    made = begin(aws)
    aws.after = lambda operation: aws.code("resize", "foreign") if operation == "update_function_code" else None
    outcome = await made.act(PUBLISH)
    assert (outcome.succeeded, outcome.code) == (False, "INVALID_LAMBDA_FUNCTION")
    assert len(aws.versions("resize")) == 2


async def test_an_object_that_is_gone_is_told_in_lambdas_words(aws: FakeFunctions) -> None:
    aws.objects.clear()
    outcome = await begin(aws).act(PUBLISH)
    assert (outcome.succeeded, outcome.code) == (False, "INVALID_LAMBDA_FUNCTION")
    assert "NoSuchKey" in outcome.diagnostics.message


async def test_a_quota_is_named_as_one(aws: FakeFunctions) -> None:
    made = begin(aws)

    def full(operation: str) -> None:
        if operation == "update_function_code":
            error = refusal("CodeStorageExceededException", "Code storage limit exceeded.")
            error.code = "RESOURCE_LIMIT_EXCEEDED"
            raise error

    aws.before = full
    outcome = await made.act(PUBLISH)
    assert (outcome.succeeded, outcome.code) == (False, "RESOURCE_LIMIT_EXCEEDED")


async def test_a_function_that_never_takes_the_code_fails_after_an_hour(aws: FakeFunctions) -> None:
    aws.takes_code_for = 1e9
    outcome = await begin(aws).act(PUBLISH)
    assert (outcome.succeeded, outcome.code) == (False, "TIMEOUT")
    assert "60 min" in outcome.diagnostics.message
