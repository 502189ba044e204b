"""What Lambda promises to whoever moves an alias, asked of the fake and of moto as the rig corrects it; and deployments on
both, by the same platform."""

from typing import Any, Protocol

import pytest
from fakes.functions import FakeFunctions
from function_cases import CODE, FORM, PLACE, PUBLISH, SPEC, Deployment, job, shift
from support.cloud import Cloud
from support.functions import archive, greeting, make_function, publish

from runner.aws import Aws, AwsError
from runner.model.functions import LambdaState
from runner.model.program import TrafficJob
from runner.platforms.functions.pace import Pace

ALIAS = {"FunctionName": "resize", "Name": "live"}


class Subject(Protocol):
    """Function `resize` with versions 1 and 2, the alias `live` on version 1, and code for a third at CODE."""

    aws: Any
    pace: Pace

    def stranger(self, version: str, **shares: float) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.aws = FakeFunctions()
        self.pace = self.aws.pace
        self.aws.function("resize")
        for code in ("one", "two"):
            self.aws.version("resize", code)
        self.aws.code("resize", "two")
        self.aws.objects[CODE.bucket, CODE.key, "v-2"] = "three"
        self.aws.alias("resize", "live", "1")
        self.aws.takes_code_for = 1.0
        self.code = CODE

    def stranger(self, version: str, **shares: float) -> None:
        self.aws.alias("resize", "live", version, **shares)


class OnMoto:
    def __init__(self, cloud: Cloud) -> None:
        self.aws, self.pace = Aws(), Pace(settle=1.0, again=0.05, slow=0.1)
        self._lambda = cloud.client("lambda")
        make_function(cloud, "resize", greeting(1))
        publish(cloud, "resize", greeting(2))
        self._lambda.create_alias(**ALIAS, FunctionVersion="1")
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="acme", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="acme", VersioningConfiguration={"Status": "Enabled"})
        pinned = s3.put_object(Bucket="acme", Key="resize.zip", Body=archive(greeting(3)))["VersionId"]
        s3.put_object(Bucket="acme", Key="resize.zip", Body=archive(greeting(4)))  # newer, and nobody's business
        self.code = CODE.__class__(bucket="acme", key="resize.zip", bundle_type="zip", etag="e", version=pinned)

    def stranger(self, version: str, **shares: float) -> None:
        weights = {key.removeprefix("v"): share for key, share in shares.items()}
        self._lambda.update_alias(**ALIAS, FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": weights})


@pytest.fixture(params=["fake", "moto"])
def subject(request: pytest.FixtureRequest) -> Any:
    return InMemory() if request.param == "fake" else OnMoto(request.getfixturevalue("aws"))


def call(subject: Subject, operation: str, **params: Any) -> dict[str, Any]:
    return dict(subject.aws.call(PLACE, "lambda", operation, params))


def refused(subject: Subject, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        call(subject, operation, **params)
    assert not caught.value.retryable
    return caught.value


def weights(version: str, **shares: float) -> dict[str, Any]:
    routing = {"AdditionalVersionWeights": {key.removeprefix("v"): share for key, share in shares.items()}}
    return {**ALIAS, "FunctionVersion": version, "RoutingConfig": routing}


def split(subject: Subject) -> tuple[str, dict[str, float]]:
    found = call(subject, "get_alias", **ALIAS)
    return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_alias", {"FunctionName": "nobody", "Name": "live"}),
        ("get_alias", {"FunctionName": "resize", "Name": "love"}),
        ("update_alias", {**weights("1"), "Name": "love"}),
        ("update_alias", weights("9")),
        ("update_alias", weights("1", v9=0.1)),
        ("get_function_configuration", {"FunctionName": "nobody"}),
        ("get_function_configuration", {"FunctionName": "resize", "Qualifier": "9"}),
    ],
)
def test_what_is_not_there_is_not_found(subject: Subject, operation: str, params: dict[str, Any]) -> None:
    error = refused(subject, operation, **params)
    assert (error.aws_code, error.code) == ("ResourceNotFoundException", "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND")


def test_every_write_gives_the_alias_another_revision(subject: Subject) -> None:
    seen = {call(subject, "get_alias", **ALIAS)["RevisionId"]}
    for share in (0.05, 0.5):
        written = call(subject, "update_alias", **weights("1", v2=share))
        assert call(subject, "get_alias", **ALIAS)["RevisionId"] == written["RevisionId"]
        assert split(subject) == ("1", {"2": share})
        seen.add(written["RevisionId"])
    assert len(seen) == 3


def test_a_write_that_names_an_old_revision_changes_nothing(subject: Subject) -> None:
    old = call(subject, "get_alias", **ALIAS)["RevisionId"]
    new = call(subject, "update_alias", **weights("1", v2=0.1), RevisionId=old)["RevisionId"]
    assert refused(subject, "update_alias", **weights("2"), RevisionId=old).aws_code == "PreconditionFailedException"
    assert split(subject) == ("1", {"2": 0.1})
    call(subject, "update_alias", **weights("2"), RevisionId=new)
    assert split(subject) == ("2", {})


def test_a_weight_is_at_most_one(subject: Subject) -> None:
    assert refused(subject, "update_alias", **weights("1", v2=1.5)).aws_code == "ValidationException"


def source(subject: Any) -> dict[str, str]:
    return {"S3Bucket": "acme", "S3Key": "resize.zip", "S3ObjectVersion": subject.code.version}


def updated(subject: Any) -> str:
    answer = call(subject, "update_function_code", FunctionName="resize", **source(subject))
    assert answer["LastUpdateStatus"] == "InProgress"
    error = refused(subject, "publish_version", FunctionName="resize")
    assert error.aws_code == "ResourceConflictException"
    while call(subject, "get_function_configuration", FunctionName="resize")["LastUpdateStatus"] == "InProgress":
        subject.pace.nap(0.05)
    return str(answer["CodeSha256"])


def test_the_same_code_is_the_same_version(subject: Subject) -> None:
    sha256 = updated(subject)
    params = {"FunctionName": "resize", "CodeSha256": sha256}
    first = call(subject, "publish_version", **params, Description="d-1 x")
    assert (first["Version"], first["CodeSha256"]) == ("3", sha256)
    while call(subject, "get_function_configuration", FunctionName="resize", Qualifier="3")["State"] != "Active":
        subject.pace.nap(0.05)
    assert call(subject, "publish_version", **params, Description="d-2 x")["Version"] == "3"
    listed = subject.aws.pages(PLACE, "lambda", "list_versions_by_function", {"FunctionName": "resize"}, "Versions")
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2", "3"]
    assert [each.get("Description") for each in listed if each["Version"] == "3"] == ["d-1 x"]


def test_other_code_than_the_expected_is_not_published(subject: Subject) -> None:
    error = refused(subject, "publish_version", FunctionName="resize", CodeSha256="bm90aGluZw==")
    assert error.aws_code == "InvalidParameterValueException"
    assert "codesha" in error.message.lower()


def test_an_object_that_is_not_there_is_no_code(subject: Any) -> None:
    wanted = {**source(subject), "S3Key": "nothing.zip"}
    error = refused(subject, "update_function_code", FunctionName="resize", **wanted)
    assert error.aws_code == "InvalidParameterValueException"


# Deployments.


def begin(subject: Any, asked: TrafficJob) -> Deployment:
    return Deployment(subject.aws, subject.pace, asked)


def form(subject: Any) -> TrafficJob:
    spec = FORM.__class__(function="resize", alias="live", code=subject.code)
    return job(spec)


async def test_a_deployment_publishes_the_pinned_object_and_shifts_to_it(subject: Subject) -> None:
    made = begin(subject, form(subject))
    assert (await made.act(PUBLISH)).succeeded
    assert made.lambda_state.target_version == "3"
    assert (await made.act(shift(10))).succeeded
    assert split(subject) == ("1", {"3": 0.1})
    assert (await made.act(shift(100))).succeeded
    assert split(subject) == ("3", {})
    assert made.lambda_state.revision_id == call(subject, "get_alias", **ALIAS)["RevisionId"]
    again = begin(subject, form(subject))
    assert (await again.act(PUBLISH)).succeeded
    assert again.lambda_state.target_version == again.lambda_state.current_version == "3"


async def test_an_act_that_is_repeated_from_any_state_ends_the_same(subject: Subject) -> None:
    made = begin(subject, form(subject))
    for act in (PUBLISH, shift(33), shift(67), shift(100)):
        before = made.state
        assert (await made.act(act)).succeeded
        first, made.state = made.lambda_state, before
        assert (await made.act(act)).succeeded
        assert _without_revision(made.lambda_state) == _without_revision(first)
    listed = subject.aws.pages(PLACE, "lambda", "list_versions_by_function", {"FunctionName": "resize"}, "Versions")
    assert len(listed) == 4
    assert split(subject) == ("3", {})


def _without_revision(state: LambdaState) -> tuple[Any, ...]:
    return (state.current_version, state.target_version, state.weight, state.attempted)


async def test_a_stranger_is_respected_by_the_deployment_and_by_its_rollback(subject: Subject) -> None:
    made = begin(subject, job(SPEC))
    assert (await made.act(shift(10))).succeeded
    subject.stranger("2", v1=0.25)
    failed = await made.act(shift(100))
    assert (failed.succeeded, failed.code) == (False, "INVALID_LAMBDA_CONFIGURATION")
    assert "version 2 (75 %) and version 1 (25 %)" in failed.diagnostics.message
    back = begin(subject, job(SPEC, deployment_id="d-ROLLBACK1", restoring=made.state))
    assert not (await back.act(shift(100))).succeeded
    assert split(subject) == ("2", {"1": 0.25})


async def test_a_rollback_restores_the_alias(subject: Subject) -> None:
    made = begin(subject, job(SPEC))
    assert (await made.act(shift(10))).succeeded
    back = begin(subject, job(SPEC, deployment_id="d-ROLLBACK1", restoring=made.state))
    for _ in range(2):  # the second time as after a crash
        assert (await back.act(shift(100))).succeeded
        assert split(subject) == ("1", {})
