"""`penstock doctor aws`: groups of a checkout and of the state folder, in a cloud where some of it is missing."""

import json
from pathlib import Path

import pytest
from cli_cases import Penstock
from local_git import new_repository
from store_cases import World, group, manifest
from support.alarms import make_alarm
from support.ec2_world import Ec2World
from support.fixtures import aws, shared_cloud
from support.functions import greeting, make_function

from runner.cli import exits
from runner.model.aws import AwsPlace
from runner.model.deployment import Options
from runner.model.functions import FunctionSettings
from runner.model.revision import AppSpecRevision
from runner.model.work import Wish

__all__ = ["aws", "shared_cloud"]

MANIFEST = """\
penstock: v1
application: resize
platform: Lambda
aws: {region: eu-west-1}
revision:
  s3: {bucket: acme-functions, key: "resize/{{ commit.id }}.zip", pin: version}
function: {name: "resize-{{ group }}", alias: live}
checks:
  errors: {cloudwatch_alarm: "resize-{{ group }}-errors"}
rollouts:
  ramp: {steps: [{shift: 10%}, {hold: {for: 5m, checks: [errors]}}, {shift: 100%}]}
deployment_groups:
  staging: {rollout: CodeDeployDefault.LambdaAllAtOnce}
  production: {rollout: ramp}
"""
SERVERS = """\
penstock: v1
application: shop
platform: Server
aws: {region: eu-west-1}
deployment_groups:
  production:
    targets: {auto_scaling_groups: [web]}
    load_balancer: {target_groups: [web]}
"""


@pytest.fixture
def checkout(penstock: Penstock) -> Penstock:
    new_repository(penstock.here)
    (penstock.here / "penstock.yaml").write_text(MANIFEST)
    penstock.commit()
    return penstock


@pytest.fixture
def cloud(aws):
    for name in ("resize-staging", "resize-production"):
        make_function(aws, name, greeting(1))
        aws.client("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    make_alarm(aws, "resize-production-errors")
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    return aws


def test_all_is_well(checkout: Penstock, cloud) -> None:
    said = checkout("doctor", "aws")
    assert said.status == exits.FINE, said
    assert "resize/staging in eu-west-1" in said.out
    assert "resize/production in eu-west-1" in said.out
    assert "missing" not in said.out and "denied" not in said.out


def test_what_is_missing_ends_it_with_status_1_and_comes_with_a_policy(checkout: Penstock, cloud) -> None:
    cloud.client("lambda").delete_alias(FunctionName="resize-production", Name="live")
    cloud.fail("lambda", "UpdateAlias", times=None, code="AccessDeniedException", status=403, message="no")
    said = checkout("doctor", "aws", "resize/production")
    assert said.status == exits.DEPLOYMENT_FAILED
    assert "missing  alias live of function resize-production" in said.out
    assert "denied   lambda:UpdateAlias" in said.out
    policy = json.loads(said.out[said.out.index("lacks:\n") + len("lacks:\n") :])
    assert [each["Action"] for each in policy["Statement"]] == ["lambda:UpdateAlias"]
    assert "resize/staging" not in said.out


def test_json_has_every_finding(checkout: Penstock, cloud) -> None:
    said = checkout("--output", "json", "doctor", "aws")
    assert said.status == exits.FINE, said
    groups = {each["group"]: each for each in said.json["groups"]}
    assert set(groups) == {"staging", "production"}
    verdicts = {finding["what"]: finding["verdict"] for finding in groups["production"]["findings"]}
    assert verdicts["alarm resize-production-errors"] == "ok"
    assert said.json["policies"] == {}


def test_groups_of_the_state_folder_are_examined_without_any_checkout(penstock: Penstock, world: World, cloud) -> None:
    function = FunctionSettings(name="gone", alias="live")
    live = group("live", platform="Lambda", place=AwsPlace(region="eu-west-1"), function=function)
    wish = Wish(manifest=manifest(live, platform="Lambda"), revision=AppSpecRevision(content="x", sha256="0" * 64))
    world.store.create_releases("shop", [wish], "user", Options(), world.now)
    said = penstock("doctor", "aws")
    assert said.status == exits.DEPLOYMENT_FAILED
    assert "shop/live in eu-west-1" in said.out
    assert "missing  function gone" in said.out


def test_a_group_of_servers_is_examined_with_what_it_has_in_aws(penstock: Penstock, aws) -> None:
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    Ec2World(aws).auto_scaling_group("web", 1)
    aws.fail("autoscaling", "PutLifecycleHook", times=None, code="AccessDenied", status=403, message="no")
    new_repository(penstock.here)
    (penstock.here / "penstock.yaml").write_text(SERVERS)
    penstock.commit()
    said = penstock("doctor", "aws")
    assert said.status == exits.DEPLOYMENT_FAILED
    (denied,) = [line for line in said.out.splitlines() if line.startswith("  denied ")]
    assert denied.count("autoscaling:PutLifecycleHook") == 1 and "no policy of arn:aws:" in denied
    assert "missing  target group web: " in said.out
    policy = json.loads(said.out[said.out.index("lacks:\n") + len("lacks:\n") :])
    (statement,) = policy["Statement"]
    assert statement["Action"] == "autoscaling:PutLifecycleHook"
    assert statement["Resource"].endswith(":autoScalingGroupName/web")


def test_an_unknown_place_is_a_mistake(penstock: Penstock) -> None:
    said = penstock("doctor", "aws", "nothing/here")
    assert said.status == exits.USERS_MISTAKE
    assert "nothing/here" in said.err


def test_where_nothing_deploys_in_aws_there_is_nothing_to_say(penstock: Penstock) -> None:
    penstock.checkout()
    said = penstock("doctor", "aws")
    assert (said.status, said.out) == (exits.FINE, "no deployment group deploys in AWS\n")


def test_a_manifest_with_mistakes_is_left_out_with_a_remark(checkout: Penstock, cloud) -> None:
    Path("penstock.yaml").write_text("penstock: v1\napplication: 7\n")
    checkout.commit()
    said = checkout("doctor", "aws")
    assert said.status == exits.FINE
    assert "are left out" in said.err


def test_without_a_word_it_says_what_can_be_examined(penstock: Penstock) -> None:
    said = penstock("doctor")
    assert said.status == exits.USERS_MISTAKE
    assert "say what to examine: `penstock doctor aws`" in said.err
    assert "penstock status" in said.err
