"""What moto 5.2.5 bends of STS, and what the cloud of the tests does instead."""

import pytest
from botocore.exceptions import ClientError
from support.functions import role

NOT_THERE = "arn:aws:iam::111122223333:role/none"


def test_moto_assumes_roles_that_are_not_there(plain):
    assert plain.client("sts").assume_role(RoleArn=NOT_THERE, RoleSessionName="session")["Credentials"]


def test_a_role_that_is_not_there_cannot_be_assumed(aws):
    for arn in NOT_THERE, "arn:aws:iam::444455556666:role/theirs":
        with pytest.raises(
            ClientError, match=f"not authorized to perform: sts:AssumeRole on resource: {arn}"
        ) as caught:
            aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert aws.client("sts").assume_role(RoleArn=role(aws), RoleSessionName="session")["Credentials"]


def test_moto_checks_no_web_identity(plain):
    """Neither does the cloud of the tests: nothing of ours uses it."""
    found = plain.client("sts").assume_role_with_web_identity(
        RoleArn=NOT_THERE, RoleSessionName="session", WebIdentityToken="anything"
    )
    assert found["Credentials"]


def test_moto_checks_no_signature_and_no_policy(plain):
    """Neither does the cloud of the tests: `deny` says what a client may not do."""
    assert plain.client("iam").list_users()["Users"] == []
