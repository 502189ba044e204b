"""What is missing is named, with the statement that grants it."""

import pytest
from scripted_aws import answer, query_refusal, refusal, scripted_aws

from runner.aws import Aws, AwsError
from runner.aws.permissions import denial, principal
from runner.model.aws import AwsPlace

ROLE = "arn:aws:iam::111122223333:role/deploy"
HERE = AwsPlace(region="eu-west-1")
WHO = "arn:aws:sts::111122223333:assumed-role/runner/i-0123"


@pytest.fixture
def script(monkeypatch):
    with scripted_aws(answer({})) as aws:
        for name, value in aws.environ.items():
            monkeypatch.setenv(name, value)
        yield aws


def fails(place, service, operation, params):
    with pytest.raises(AwsError) as caught:
        Aws().call(place, service, operation, params)
    return caught.value


def test_a_missing_permission_is_named_with_the_statement_that_grants_it(script):
    function = "arn:aws:lambda:eu-west-1:111122223333:function:pay"
    script.answers = [
        refusal(
            403,
            "AccessDeniedException",
            f"User: {WHO} is not authorized to perform: lambda:UpdateAlias on resource: {function} because no "
            "identity-based policy allows the lambda:UpdateAlias action",
        )
    ]
    error = fails(HERE, "lambda", "update_alias", {"FunctionName": "pay", "Name": "live"})
    statement = {"Effect": "Allow", "Action": "lambda:UpdateAlias", "Resource": function}
    assert (error.code, error.retryable, error.statement) == ("IAM_ROLE_PERMISSIONS", False, statement)
    assert WHO in error.message
    assert f'{{"Effect": "Allow", "Action": "lambda:UpdateAlias", "Resource": "{function}"}}' in error.message


def test_a_denial_without_details_names_what_was_asked_for(script):
    script.answers = [query_refusal(403, "AccessDenied", "Access denied")]
    group = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/a/1"
    error = fails(HERE, "elbv2", "describe_target_health", {"TargetGroupArn": group})
    action = "elasticloadbalancing:DescribeTargetHealth"
    assert error.statement == {"Effect": "Allow", "Action": action, "Resource": group}


def test_an_explicit_deny_is_not_mended_by_a_grant():
    found = denial(
        f"User: {WHO} is not authorized to perform: ecs:CreateTaskSet on resource: arn:aws:ecs:eu-west-1:1:service/a "
        "with an explicit deny in a service control policy",
        "ecs:CreateTaskSet",
        {},
    )
    assert found.by == "service control policy"
    assert "denies it" in str(found)
    assert "Effect" not in str(found)


def test_an_encoded_message_of_ec2_is_read():
    found = denial(
        f"You are not authorized to perform this operation. User: {WHO} is not authorized to perform: "
        "ec2:TerminateInstances on resource: arn:aws:ec2:eu-west-1:1:instance/i-1 because no identity-based policy allows "
        "the ec2:TerminateInstances action. Encoded authorization failure message: abcdef",
        "ec2:TerminateInstances",
        {},
    )
    assert found.statement["Resource"] == "arn:aws:ec2:eu-west-1:1:instance/i-1"


def test_invoking_needs_the_permission_that_iam_calls_otherwise(script):
    script.answers = [refusal(403, "AccessDeniedException", "no")]
    error = fails(HERE, "lambda", "invoke", {"FunctionName": "hook"})
    assert error.statement == {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}


def test_a_role_that_cannot_be_assumed_is_told_with_what_its_trust_policy_lacks(script):
    said = f"User: {WHO} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    script.sts = [query_refusal(403, "AccessDenied", said)]
    error = fails(AwsPlace(region="eu-west-1", role=ROLE), "lambda", "list_functions", {})
    assert (error.code, error.aws_code, error.retryable) == ("IAM_ROLE_MISSING", "AccessDenied", False)
    assert '"Principal": {"AWS": "arn:aws:iam::111122223333:role/runner"}' in error.message
    assert f'"Resource": "{ROLE}"' in error.message


def test_sts_that_throttles_is_waited_for_like_any_other(script):
    from scripted_aws import assumed

    script.sts = [query_refusal(400, "Throttling", "slow"), assumed("KEY", "2099-01-01T00:00:00Z")]
    waited = []
    Aws(sleep=waited.append).call(AwsPlace(region="eu-west-1", role=ROLE), "lambda", "invoke", {"FunctionName": "f"})
    assert waited
    assert [each.service for each in script.asked] == ["sts", "sts", "lambda"]


def test_a_user_is_its_own_principal():
    assert principal("arn:aws:iam::111122223333:user/ci") == "arn:aws:iam::111122223333:user/ci"
    assert principal("arn:aws-cn:sts::111122223333:assumed-role/a/b") == "arn:aws-cn:iam::111122223333:role/a"
