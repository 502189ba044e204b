"""What moto 5.2.5 bends or lacks of Lambda: each gap as it is, and what the cloud of the tests does instead.

A test on `plain` that fails means that moto has changed: look whether its correction is still needed.
"""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError
from support.functions import archive

TRUST = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def gap(plain):
    return world(plain)


@pytest.fixture
def right(aws):
    return world(aws)


class World:
    """The function `orders` with the versions 1 and 2, and its alias `live`, which points to 1."""

    def __init__(self, cloud):
        self.cloud, self.client = cloud, cloud.client("lambda")
        self.role = cloud.client("iam").create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        self.client.create_function(
            FunctionName="orders",
            Runtime="python3.11",
            Role=self.role["Arn"],
            Handler="app.handler",
            Code={"ZipFile": source(1)},
            Publish=True,
        )
        self.updated()
        self.client.update_function_code(FunctionName="orders", ZipFile=source(2), Publish=True)
        self.updated()
        self.made = self.client.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")

    def updated(self):
        waits = {"Delay": 0.05, "MaxAttempts": 400}
        self.client.get_waiter("function_updated_v2").wait(FunctionName="orders", WaiterConfig=waits)

    def update(self, **changes):
        return self.client.update_alias(FunctionName="orders", Name="live", **changes)

    def alias(self):
        return self.client.get_alias(FunctionName="orders", Name="live")

    def weights(self):
        return (self.alias().get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})


def world(cloud):
    return World(cloud)


def source(version):
    return archive(f"def handler(event, context):\n    return {version}\n")


def weighing(**weights):
    return {"AdditionalVersionWeights": {name.removeprefix("v"): weight for name, weight in weights.items()}}


def refusal(call, *args, **changes):
    """Code and status of the error."""
    with pytest.raises(ClientError) as caught:
        call(*args, **changes)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


STALE = "00000000-0000-0000-0000-000000000000"


def test_moto_never_changes_the_revision_of_an_alias(gap):
    assert gap.update(Description="x")["RevisionId"] == gap.made["RevisionId"]


def test_moto_accepts_a_stale_revision_of_an_alias(gap):
    assert gap.update(Description="x", RevisionId=STALE)["Description"] == "x"


def test_every_write_of_an_alias_gives_it_a_new_revision(right):
    seen = [right.made["RevisionId"]]
    seen.append(right.update(RoutingConfig=weighing(v2=0.1), RevisionId=seen[-1])["RevisionId"])
    seen.append(right.update(Description="x", RevisionId=seen[-1])["RevisionId"])
    assert right.alias()["RevisionId"] == seen[-1] and len(set(seen)) == 3


def test_a_stale_revision_of_an_alias_is_refused_and_changes_nothing(right):
    right.update(Description="mine")
    changes = {"FunctionVersion": "2", "RevisionId": right.made["RevisionId"]}
    assert refusal(right.update, **changes) == ("PreconditionFailedException", 412)
    assert right.alias()["FunctionVersion"] == "1"


def test_moto_answers_alias_reads_and_updates_as_if_something_was_created(gap):
    assert gap.alias()["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert gap.update(Description="x")["ResponseMetadata"]["HTTPStatusCode"] == 201


def test_alias_reads_and_updates_are_answered_with_200(right):
    assert right.alias()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert right.update(Description="x")["ResponseMetadata"]["HTTPStatusCode"] == 200


WRONG_WEIGHTS = {
    "more than all": ({"RoutingConfig": weighing(v2=1.5)}, "ValidationException"),
    "to the alias' own version": ({"RoutingConfig": weighing(v1=0.1)}, "InvalidParameterValueException"),
    "to $LATEST": (
        {"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.1}}},
        "InvalidParameterValueException",
    ),
    "to two versions": ({"RoutingConfig": weighing(v2=0.1, v3=0.1)}, "InvalidParameterValueException"),
    "from $LATEST": (
        {"FunctionVersion": "$LATEST", "RoutingConfig": weighing(v2=0.1)},
        "InvalidParameterValueException",
    ),
    "to a version that is not there": ({"RoutingConfig": weighing(v9=0.1)}, "ResourceNotFoundException"),
}


@pytest.mark.parametrize("name", WRONG_WEIGHTS)
def test_moto_accepts_any_weights(gap, name):
    changes, _ = WRONG_WEIGHTS[name]
    gap.update(**changes)


@pytest.mark.parametrize("name", WRONG_WEIGHTS)
def test_wrong_weights_are_refused_and_change_nothing(right, name):
    changes, code = WRONG_WEIGHTS[name]
    assert refusal(right.update, **changes)[0] == code
    assert right.weights() == {} and right.alias()["RevisionId"] == right.made["RevisionId"]


def test_moto_creates_an_alias_of_latest_with_routing(gap):
    gap.client.create_alias(
        FunctionName="orders", Name="bad", FunctionVersion="$LATEST", RoutingConfig=weighing(v2=0.1)
    )


def test_an_alias_of_latest_takes_no_routing(right):
    wanted = {"FunctionName": "orders", "Name": "bad", "FunctionVersion": "$LATEST"}
    code, _ = refusal(right.client.create_alias, **wanted, RoutingConfig=weighing(v2=0.1))
    assert code == "InvalidParameterValueException"


def test_weights_stay_until_they_are_cleared(right):
    right.update(RoutingConfig=weighing(v2=0.1))
    right.update(Description="x")
    assert right.weights() == {"2": 0.1}
    assert refusal(right.update, FunctionVersion="2")[0] == "InvalidParameterValueException"
    right.update(FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
    assert right.weights() == {} and right.alias()["FunctionVersion"] == "2"


def test_moto_knows_no_revisions_of_functions(gap):
    assert "RevisionId" not in gap.client.get_function_configuration(FunctionName="orders")
    gap.client.update_function_code(FunctionName="orders", ZipFile=source(3), RevisionId=STALE)


def test_code_is_not_changed_on_a_stale_revision(right):
    code = {"FunctionName": "orders", "ZipFile": source(3), "RevisionId": STALE}
    assert refusal(right.client.update_function_code, **code) == ("PreconditionFailedException", 412)
    revision = right.client.get_function_configuration(FunctionName="orders")["RevisionId"]
    changed = right.client.update_function_code(**{**code, "RevisionId": revision})
    assert changed["RevisionId"] != revision


def test_moto_publishes_whatever_code_was_expected(gap):
    gap.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    assert gap.client.publish_version(FunctionName="orders", CodeSha256="another", RevisionId=STALE)["Version"] == "3"


def test_a_version_is_published_only_of_the_code_that_was_expected(right):
    ours = right.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    right.updated()
    publish = right.client.publish_version
    assert refusal(publish, FunctionName="orders", CodeSha256="another")[0] == "InvalidParameterValueException"
    assert refusal(publish, FunctionName="orders", RevisionId=STALE) == ("PreconditionFailedException", 412)
    assert publish(FunctionName="orders", CodeSha256=ours["CodeSha256"])["Version"] == "3"


def test_moto_publishes_the_same_code_again_when_it_was_uploaded_again(gap):
    gap.client.update_function_code(FunctionName="orders", ZipFile=source(2))
    assert gap.client.publish_version(FunctionName="orders")["Version"] == "3"


def test_what_has_not_changed_is_not_published_again(right):
    right.client.update_function_code(FunctionName="orders", ZipFile=source(2))
    right.updated()
    assert right.client.publish_version(FunctionName="orders")["Version"] == "2"


def test_moto_gives_the_number_of_a_deleted_version_again(gap):
    gap.client.delete_function(FunctionName="orders", Qualifier="2")
    gap.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    assert gap.client.publish_version(FunctionName="orders")["Version"] == "2"


def test_a_version_number_is_given_once(right):
    right.client.delete_function(FunctionName="orders", Qualifier="2")
    right.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    right.updated()
    assert right.client.publish_version(FunctionName="orders")["Version"] == "3"


def test_moto_has_an_update_done_at_once(gap):
    assert gap.client.update_function_code(FunctionName="orders", ZipFile=source(3))["LastUpdateStatus"] == "Successful"


def test_an_update_is_under_way_for_a_while_and_lets_no_other_begin(aws, right):
    aws.ask("lambda_update_takes", seconds=600)
    changed = right.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    assert changed["LastUpdateStatus"] == "InProgress"
    for method, more in (("publish_version", {}), ("update_function_code", {"ZipFile": source(4)})):
        call = getattr(right.client, method)
        assert refusal(call, FunctionName="orders", **more) == ("ResourceConflictException", 409)
    published = right.client.get_function_configuration(FunctionName="orders", Qualifier="2")
    assert published["LastUpdateStatus"] == "Successful"


def test_a_new_version_is_pending_for_a_while_and_cannot_be_invoked(aws, right):
    right.client.update_function_code(FunctionName="orders", ZipFile=source(3))
    right.updated()
    aws.ask("lambda_update_takes", seconds=600)
    assert right.client.publish_version(FunctionName="orders")["State"] == "Pending"
    assert refusal(right.client.invoke, FunctionName="orders", Qualifier="3")[0] == "ResourceConflictException"


def put_two_versions(cloud):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="bundles", VersioningConfiguration={"Status": "Enabled"})
    return [
        s3.put_object(Bucket="bundles", Key="k.zip", Body=source(text))["VersionId"] for text in ("first", "second")
    ]


def test_moto_takes_the_newest_object_whatever_version_was_asked_for(gap):
    first, second = put_two_versions(gap.cloud)
    digests = {
        gap.client.update_function_code(
            FunctionName="orders", S3Bucket="bundles", S3Key="k.zip", S3ObjectVersion=version
        )["CodeSha256"]
        for version in (first, second)
    }
    assert len(digests) == 1


def test_code_comes_from_the_version_of_the_object_that_was_asked_for(right):
    for version, text in zip(put_two_versions(right.cloud), ("first", "second"), strict=True):
        place = {"S3Bucket": "bundles", "S3Key": "k.zip", "S3ObjectVersion": version}
        found = right.client.update_function_code(FunctionName="orders", **place)
        right.updated()
        plain = right.client.update_function_code(FunctionName="orders", ZipFile=source(text), DryRun=True)
        assert found["CodeSha256"] == plain["CodeSha256"]
        answer = right.client.invoke(FunctionName="orders")
        assert json.loads(answer["Payload"].read()) is not None
    missing = {**place, "S3Key": "none.zip"}
    assert refusal(right.client.update_function_code, FunctionName="orders", **missing)[0] == (
        "InvalidParameterValueException"
    )


def test_moto_takes_anything_for_a_zip(gap):
    gap.client.update_function_code(FunctionName="orders", ZipFile=b"no zip at all")


def test_what_is_no_zip_is_refused(right):
    code, _ = refusal(right.client.update_function_code, FunctionName="orders", ZipFile=b"no zip at all")
    assert code == "InvalidParameterValueException"


@pytest.fixture
def simple(moto_url, plain):
    """moto's own way without docker. It changes the whole backend, so it comes first."""
    tell(moto_url, use_docker=False)
    yield world(plain)
    tell(moto_url, use_docker=True)


def tell(moto_url, use_docker):
    body = json.dumps({"lambda": {"use_docker": use_docker}}).encode()
    kind = {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/config", body, kind, method="POST")).close()


def test_moto_without_docker_runs_nothing_and_splits_nothing(simple):
    simple.update(RoutingConfig=weighing(v2=0.5))
    answers = [simple.client.invoke(FunctionName="orders", Qualifier="live", Payload=b'{"a": 1}') for _ in range(20)]
    assert {answer.get("ExecutedVersion") for answer in answers} == {None}
    assert {answer["Payload"].read() for answer in answers} == {b'{"a": 1}'}


def test_moto_forgets_all_functions_when_docker_is_switched_off(moto_url, gap):
    tell(moto_url, use_docker=False)
    try:
        assert gap.client.list_functions()["Functions"] == []
    finally:
        tell(moto_url, use_docker=True)
    assert len(gap.client.list_functions()["Functions"]) == 1


def test_moto_invokes_a_qualifier_that_is_not_there(simple):
    assert simple.client.invoke(FunctionName="orders", Qualifier="none", Payload=b"{}")["StatusCode"] == 200


def test_a_qualifier_that_is_not_there_is_not_invoked(right):
    for qualifier in "none", "9":
        code = refusal(right.client.invoke, FunctionName="orders", Qualifier=qualifier)
        assert code == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("put_provisioned_concurrency_config", {"ProvisionedConcurrentExecutions": 1}),
        ("get_provisioned_concurrency_config", {}),
    ],
)
def test_moto_knows_no_provisioned_concurrency(gap, method, more):
    """Neither does the cloud of the tests: nothing of ours uses it."""
    assert refusal(getattr(gap.client, method), FunctionName="orders", Qualifier="live", **more)[1] == 404
