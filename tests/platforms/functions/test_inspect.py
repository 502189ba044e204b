"""What is looked at before a deployment to a Lambda function begins."""

from typing import Any

import pytest
from fakes.functions import FakeFunctions, denied
from function_cases import CODE, FORM, Deployment, fake, job

from runner.errors import Refused, WorldError
from runner.model.functions import LambdaSpec, LambdaState
from runner.platforms.functions import FunctionPlatform


@pytest.fixture
def aws() -> FakeFunctions:
    return fake()


def inspected(aws: FakeFunctions, spec: LambdaSpec, **changes: Any) -> tuple[str, object]:
    return FunctionPlatform(aws, aws.pace).inspect(job(spec, **changes))


def spec(**changes: Any) -> LambdaSpec:
    fields = {"function": "resize", "alias": "live", "current_version": "1", "target_version": "2"}
    return LambdaSpec(**{**fields, **changes})


def refused(aws: FakeFunctions, wanted: LambdaSpec) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        inspected(aws, wanted)
    assert aws.made == []
    return caught.value.code, caught.value.message


def test_the_alias_is_remembered_as_it_is(aws: FakeFunctions) -> None:
    expected = LambdaState(
        function="resize", alias="live", current_version="1", target_version="2", revision_id="revision-1"
    )
    assert inspected(aws, spec()) == ("resize", expected)


def test_the_manifests_form_takes_the_version_that_the_alias_has(aws: FakeFunctions) -> None:
    _, state = inspected(aws, FORM)
    assert state == LambdaState(function="resize", alias="live", current_version="1", revision_id="revision-1")


def test_an_arn_names_the_same_target(aws: FakeFunctions) -> None:
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:resize"
    aws.function(arn)
    aws.version(arn, "one")
    aws.alias(arn, "live", "1")
    aws.now += 60
    target, _ = inspected(aws, spec(function=arn, current_version=None, target_version=None, code=CODE))
    assert target == "resize"


def test_no_such_function(aws: FakeFunctions) -> None:
    code, message = refused(aws, spec(function="resise"))
    assert code == "INVALID_LAMBDA_FUNCTION"
    assert "there is no function resise in eu-west-1" in message


def test_no_such_alias(aws: FakeFunctions) -> None:
    code, message = refused(aws, spec(alias="love"))
    assert code == "INVALID_LAMBDA_CONFIGURATION"
    assert "aws lambda create-alias --region eu-west-1 --function-name resize --name love" in message


def test_an_alias_that_is_still_split_names_its_weights_and_the_way_back(aws: FakeFunctions) -> None:
    aws.alias("resize", "live", "1", v2=0.1)
    code, message = refused(aws, spec())
    assert code == "INVALID_LAMBDA_CONFIGURATION"
    assert "version 1 (90 %) and version 2 (10 %)" in message
    reset = "aws lambda update-alias --region eu-west-1 --function-name resize --name live --function-version 1"
    assert f"`{reset} --routing-config AdditionalVersionWeights={{}}`" in message


def test_weights_of_nothing_are_no_split(aws: FakeFunctions) -> None:
    aws.alias("resize", "live", "1", v2=0.0)
    assert inspected(aws, spec())[0] == "resize"


def test_a_split_that_only_a_late_read_shows_is_none(aws: FakeFunctions) -> None:
    aws.alias("resize", "live", "1", v2=0.1)
    aws.now += 60
    aws.lag = 3.0
    aws.alias("resize", "live", "1")
    assert inspected(aws, spec())[0] == "resize"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"current_version": "2", "target_version": "1"}, "points to version 1, but CurrentVersion is 2"),
        ({"current_version": None, "target_version": "1"}, "points to version 1 already"),
        ({"current_version": "1", "target_version": "1"}, "are both 1"),
        ({"target_version": "$LATEST"}, "$LATEST is none"),
        ({"target_version": "9"}, "has no version 9"),
    ],
)
def test_versions_that_do_not_fit(aws: FakeFunctions, changes: dict[str, Any], said: str) -> None:
    code, message = refused(aws, spec(**changes))
    assert code == "INVALID_LAMBDA_CONFIGURATION"
    assert said in message


def test_an_alias_of_latest_cannot_share_traffic(aws: FakeFunctions) -> None:
    aws.alias("resize", "live", "$LATEST")
    code, message = refused(aws, spec(current_version=None))
    assert code == "INVALID_LAMBDA_CONFIGURATION"
    assert "aws lambda publish-version" in message


def test_a_version_that_cannot_be_invoked(aws: FakeFunctions) -> None:
    aws.version("resize", "three", State="Failed", StateReason="The image is gone")
    aws.now += 60
    code, message = refused(aws, spec(target_version="3"))
    assert code == "INVALID_LAMBDA_FUNCTION"
    assert "The image is gone" in message


def test_a_version_that_is_being_made_ready_is_asked_for_again_later(aws: FakeFunctions) -> None:
    aws.version("resize", "three", State="Pending")
    aws.now += 60
    with pytest.raises(WorldError, match="still being made ready") as caught:
        inspected(aws, spec(target_version="3"))
    assert caught.value.retryable


def test_who_may_not_ask_for_versions_deploys_all_the_same(aws: FakeFunctions) -> None:
    """CodeDeploy's managed policy for Lambda allows GetAlias and UpdateAlias."""

    def before(operation: str) -> None:
        if operation == "get_function_configuration":
            raise denied()

    aws.before = before
    assert inspected(aws, spec())[0] == "resize"
    assert refused(aws, spec(alias="love"))[0] == "INVALID_LAMBDA_CONFIGURATION"


def test_an_object_without_a_version_cannot_be_published_safely(aws: FakeFunctions) -> None:
    code, message = refused(aws, spec(target_version=None, code=CODE.__class__(bucket="b", key="k", bundle_type="zip")))
    assert code == "INVALID_REVISION"
    assert "pin: version" in message


def test_a_rollback_of_an_alias_that_is_gone_is_refused(aws: FakeFunctions) -> None:
    left = Deployment(aws, aws.pace, job()).lambda_state
    aws.remove_alias("resize", "live")
    aws.now += 60
    with pytest.raises(Refused) as caught:
        inspected(aws, spec(), restoring=left)
    assert caught.value.code == "INVALID_LAMBDA_CONFIGURATION"
