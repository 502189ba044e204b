"""What the doctor finds for groups of servers: Auto Scaling, EC2, load balancers; and for images that are pinned in ECR."""

import ast
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator
from support.ec2_world import Ec2World

import runner
from runner.aws import Aws
from runner.aws.doctor import EcrRepository, Finding, Subject, examine
from runner.aws.doctor.identity import Identity
from runner.aws.doctor.needs import needs
from runner.aws.doctor.seen import Seen
from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green, Live
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.rollout import Rollout
from runner.model.tags import TagFilter
from runner.model.traffic import LoadBalancing

HERE = AwsPlace(region="eu-west-1")
ROLE = "arn:aws:iam::111122223333:role/deploy"
WHO = Identity(ROLE, "111122223333", "aws", "eu-west-1", ROLE)
WEB = Ec2Targets(auto_scaling_groups=("web",))
TAGGED = Ec2Targets(tag_set=((TagFilter(key="app", value="web"),),))
FRONT = LoadBalancing(target_groups=("front",), classic=("old",), place=HERE)
COPY = Green(copy=True)


def subject(live: Live | None = None, **changes: object) -> Subject:
    given = {"name": "live", "rollout": Rollout(name="x"), "place": HERE, "platform": "Server"}
    return Subject.of("shop", GroupSettings(**{**given, **changes}), live=live)


def told(findings: list[Finding], *verdicts: str) -> dict[str, str]:
    return {finding.what: finding.message for finding in findings if finding.verdict in verdicts}


def actions(of: Subject, seen: Seen = Seen()) -> set[str]:  # noqa: B008 - it is frozen
    return {need.action for need in needs(of, WHO, seen)}


@pytest.fixture
def world(aws):
    """A fleet behind load balancers of both kinds, in a cloud in which nobody may simulate policies."""
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    world = Ec2World(aws)
    world.auto_scaling_group("web", 1)
    world.listener(world.target_group("front"))
    world.classic("old")
    aws.forget()
    return world


def test_a_fleet_that_has_all_it_needs_is_well_and_stays_as_it_is(world):
    before = world.members("web")
    findings = examine(Aws(), subject(ec2=WEB, load_balancer=FRONT))
    assert told(findings, "missing", "denied", "unknown") == {}
    assert {"Auto Scaling group web", "target group front", "classic load balancer old"} <= told(findings, "ok").keys()
    assert world.members("web") == before
    assert world.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"] == []
    changing = {call.operation for call in world.aws.calls(mutating=True) if call.status < 300}
    assert changing == {  # each of nothing
        "DeleteLifecycleHook",
        "RegisterTargets",
        "DeregisterTargets",
        "RegisterInstancesWithLoadBalancer",
        "DeregisterInstancesFromLoadBalancer",
    }


def test_what_is_not_there_is_named(world):
    gone = LoadBalancing(target_groups=("nothing",), classic=("none",), place=HERE)
    lost = told(examine(Aws(), subject(ec2=Ec2Targets(auto_scaling_groups=("gone",)), load_balancer=gone)), "missing")
    assert set(lost) == {"Auto Scaling group gone", "target group nothing", "classic load balancer none"}
    assert lost["Auto Scaling group gone"] == "there is no such group in eu-west-1"


def test_a_target_group_without_a_load_balancer_is_told(world):
    world.target_group("idle")
    idle = LoadBalancing(target_groups=("idle",), place=HERE)
    lost = told(examine(Aws(), subject(ec2=TAGGED, load_balancer=idle)), "missing")
    assert "no load balancer sends requests to it" in lost["target group idle"]


@pytest.mark.parametrize(
    ("service", "operation", "action", "resource"),
    [
        ("autoscaling", "PutLifecycleHook", "autoscaling:PutLifecycleHook", ":autoScalingGroupName/web"),
        ("autoscaling", "DeleteLifecycleHook", "autoscaling:DeleteLifecycleHook", ":autoScalingGroupName/web"),
        ("autoscaling", "CompleteLifecycleAction", "autoscaling:CompleteLifecycleAction", ":autoScalingGroupName/web"),
        ("ec2", "DescribeInstances", "ec2:DescribeInstances", "*"),
        ("elbv2", "RegisterTargets", "elasticloadbalancing:RegisterTargets", ":targetgroup/front/"),
        (
            "elb",
            "DeregisterInstancesFromLoadBalancer",
            "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
            ":loadbalancer/old",
        ),
    ],
)
def test_each_missing_permission_is_named_with_the_least_statement(world, service, operation, action, resource):
    world.aws.fail(service, operation, times=None, code="AccessDenied", status=403, message="no")
    denied = [each for each in examine(Aws(), subject(ec2=WEB, load_balancer=FRONT)) if each.verdict == "denied"]
    assert [each.statement["Action"] for each in denied] == [action]
    assert resource in denied[0].statement["Resource"]
    assert f"{denied[0].what}{denied[0].message}".count(action) == 1


def test_a_group_by_tags_needs_no_more_than_to_see_its_instances():
    assert actions(subject(ec2=TAGGED)) == {"ec2:DescribeInstances"}


def test_processes_are_suspended_only_where_the_group_says_so():
    suspending = Ec2Targets(auto_scaling_groups=("web",), suspended=("AZRebalance",))
    assert "autoscaling:SuspendProcesses" not in actions(subject(ec2=WEB))
    assert {"autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses"} <= actions(subject(ec2=suspending))


def test_instances_are_terminated_only_where_the_original_ends():
    other = Green(fleet=Fleet(ec2=TAGGED))
    kept = BlueGreen(termination_wait=None)
    assert "ec2:TerminateInstances" not in actions(subject(ec2=TAGGED))
    assert "ec2:TerminateInstances" not in actions(subject(ec2=TAGGED, green=other, blue_green=kept))
    ends = actions(subject(ec2=TAGGED, green=other))
    assert "ec2:TerminateInstances" in ends
    assert "autoscaling:DeleteAutoScalingGroup" not in ends
    assert "autoscaling:DeleteAutoScalingGroup" in actions(subject(ec2=WEB, green=other))


def test_a_copy_needs_what_is_attached_to_its_original_and_no_more():
    copied = subject(ec2=WEB, green=COPY)
    bare = actions(copied)
    assert {"autoscaling:CreateAutoScalingGroup", "autoscaling:CreateOrUpdateTags"} <= bare
    assert not {each for each in bare if "LoadBalancer" in each or each.startswith(("iam:", "ec2:Run"))}
    seen = Seen(attached=True, has_template=True, roles=("arn:aws:iam::111122223333:role/web",))
    more = actions(copied, seen) - bare
    assert more == {
        "autoscaling:AttachLoadBalancerTargetGroups",
        "autoscaling:DetachLoadBalancerTargetGroups",
        "ec2:RunInstances",
        "ec2:CreateTags",
        "iam:PassRole",
    }


def test_what_is_copied_is_looked_at(world):
    iam = world.aws.client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    arn = iam.create_instance_profile(InstanceProfileName="of-web")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="of-web", RoleName="web")
    (instance,) = world.members("web")
    world.ec2.associate_iam_instance_profile(IamInstanceProfile={"Arn": arn}, InstanceId=instance)
    unknown = told(examine(Aws(), subject(ec2=WEB, green=COPY)), "unknown")
    assert any(each.startswith("iam:PassRole on ") and each.endswith(":role/web") for each in unknown)
    assert [each for each in unknown if each.startswith("autoscaling:DeleteAutoScalingGroup")]
    assert set(world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Tags"]) == set()


def test_after_a_copy_it_is_the_copy_that_must_be_there(world):
    made = Fleet(ec2=Ec2Targets(auto_scaling_groups=("copy",)))
    live = Live(fleet=made, instead_of=Fleet(ec2=Ec2Targets(auto_scaling_groups=("web",))))
    lost = told(examine(Aws(), subject(live, ec2=WEB, green=COPY)), "missing")
    assert set(lost) == {"Auto Scaling group copy"}


def test_a_group_that_has_nothing_in_aws_does_not_concern_it():
    assert not subject(tags={"app": ("web",)}).concerns_aws
    assert subject(ec2=TAGGED).concerns_aws


def test_a_repository_of_images_is_asked_of_in_its_own_region(world):
    account = world.aws.client("sts").get_caller_identity()["Account"]
    image = EcrRepository(account=account, region="eu-west-1", name="shop/api")
    other = AwsPlace(region="us-east-1")
    service = Subject(application="api", group="live", platform="ECS", place=other, image=image)
    assert "no such repository" in told(examine(Aws(), service), "missing")["image repository shop/api in eu-west-1"]
    world.aws.client("ecr").create_repository(repositoryName="shop/api")
    assert "image repository shop/api in eu-west-1" in told(examine(Aws(), service), "ok")
    world.aws.fail("ecr", "DescribeImages", times=None, code="AccessDeniedException", status=403, message="no")
    (denied,) = [each for each in examine(Aws(), service) if each.verdict == "denied"]
    assert denied.statement == {
        "Effect": "Allow",
        "Action": "ecr:DescribeImages",
        "Resource": f"arn:aws:ecr:eu-west-1:{account}:repository/shop/api",
    }


FULL = (
    subject(ec2=Ec2Targets(auto_scaling_groups=("web",), suspended=("AZRebalance",)), load_balancer=FRONT),
    subject(ec2=WEB, green=COPY, load_balancer=FRONT),
)
ALL = Seen(target_groups=("arn:t",), roles=("arn:role",), has_template=True, attached=True, attached_classic=True)


def test_every_operation_that_is_called_for_instances_is_among_the_needs():
    session = botocore.session.get_session()
    known = {
        xform_name(name): service
        for service in ("autoscaling", "ec2", "elb", "elbv2")
        for name in session.get_service_model(service).operation_names
    }
    folder = Path(runner.__file__).parent
    files = [
        *(folder / "platforms" / "fleets").glob("*.py"),
        *(folder / "inventory").glob("*.py"),
        *(folder / "watch").rglob("*.py"),
        *(folder / "traffic").glob("elb*.py"),
    ]
    called = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known
    }
    assert {"put_lifecycle_hook", "terminate_instances", "register_targets"} <= called
    assert called - {need.operation for each in FULL for need in needs(each, WHO, ALL)} == set()


def test_all_calls_that_are_tried_are_well_formed():
    session = botocore.session.get_session()
    for need in (need for each in FULL for need in needs(each, WHO, ALL) if need.params is not None):
        model = session.get_service_model(need.service)
        name = next(each for each in model.operation_names if xform_name(each) == need.operation)
        report = ParamValidator().validate(need.params, model.operation_model(name).input_shape)
        assert not report.has_errors(), (need.operation, report.generate_report())
