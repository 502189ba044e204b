"""What moto 5.2.5 bends or lacks of Auto Scaling, and what the cloud of the tests does instead."""

import json
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from support.corrections import lifecycle_actions

IMAGE = "ami-12c6146b"
LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


class Group:
    """The Auto Scaling group `fleet`."""

    def __init__(self, cloud, size=1, **settings):
        self.cloud, self.client, self.ec2 = cloud, cloud.client("autoscaling"), cloud.client("ec2")
        self.client.create_launch_configuration(LaunchConfigurationName="small", ImageId=IMAGE, InstanceType="t3.micro")
        self.client.create_auto_scaling_group(
            AutoScalingGroupName="fleet",
            LaunchConfigurationName="small",
            MinSize=0,
            MaxSize=10,
            DesiredCapacity=size,
            AvailabilityZones=["eu-west-1a"],
            **settings,
        )

    def instances(self):
        (group,) = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])["AutoScalingGroups"]
        return {each["InstanceId"]: each["LifecycleState"] for each in group["Instances"]}

    def states(self):
        return sorted(self.instances().values())

    def one(self, state):
        (found,) = [instance for instance, its in self.instances().items() if its == state]
        return found

    def resize(self, size):
        self.client.set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=size)

    def hook(self, transition=LAUNCHING, name="hook", **settings):
        self.client.put_lifecycle_hook(
            AutoScalingGroupName="fleet", LifecycleHookName=name, LifecycleTransition=transition, **settings
        )

    def complete(self, instance, result="CONTINUE", name="hook", **more):
        self.client.complete_lifecycle_action(
            AutoScalingGroupName="fleet",
            LifecycleHookName=name,
            LifecycleActionResult=result,
            **({"InstanceId": instance} if instance else more),
        )

    def is_running(self, instance):
        ((found,),) = [each["Instances"] for each in self._describe(instance)]
        return found["State"]["Name"] == "running"

    def _describe(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]

    def until(self, condition, within=30.0):
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.instances()
            time.sleep(0.02)


@pytest.fixture
def gap(plain):
    return Group(plain)


@pytest.fixture
def right(aws):
    return Group(aws)


def lacks(method, **arguments):
    with pytest.raises((ClientError, ResponseParserError)):
        method(**arguments)


def test_moto_has_a_new_instance_in_service_whatever_hook_there_is(gap):
    gap.hook()
    gap.resize(2)
    assert gap.states() == ["InService", "InService"]


def test_moto_completes_no_lifecycle_action_and_hears_no_heartbeat(gap):
    gap.hook()
    wanted = {"AutoScalingGroupName": "fleet", "LifecycleHookName": "hook", "InstanceId": gap.one("InService")}
    lacks(gap.client.complete_lifecycle_action, **wanted, LifecycleActionResult="CONTINUE")
    lacks(gap.client.record_lifecycle_action_heartbeat, **wanted)


def test_moto_launches_although_launching_is_suspended(gap):
    gap.client.suspend_processes(AutoScalingGroupName="fleet", ScalingProcesses=["Launch"])
    gap.resize(3)
    assert len(gap.instances()) == 3


def test_moto_deletes_a_group_with_its_instances_unasked(gap):
    gap.client.delete_auto_scaling_group(AutoScalingGroupName="fleet")
    assert gap.client.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_moto_has_no_notifications_and_no_instance_refresh(gap):
    """Neither has the cloud of the tests: nothing of ours uses them."""
    lacks(
        gap.client.put_notification_configuration,
        AutoScalingGroupName="fleet",
        TopicARN="arn:aws:sns:eu-west-1:123456789012:t",
        NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"],
    )
    lacks(gap.client.start_instance_refresh, AutoScalingGroupName="fleet")


def test_a_new_instance_waits_for_its_hook_and_then_enters_service(right):
    right.hook()
    right.resize(2)
    assert right.states() == ["InService", "Pending:Wait"]
    waiting = right.one("Pending:Wait")
    assert right.is_running(waiting)
    right.complete(waiting)
    assert right.states() == ["InService", "InService"] and waiting in right.instances()


def test_an_abandoned_instance_is_terminated_and_another_one_starts(right):
    right.hook()
    right.resize(2)
    first = right.one("Pending:Wait")
    right.complete(first, "ABANDON")
    assert not right.is_running(first) and first not in right.instances()
    right.until(lambda: right.states() == ["InService", "Pending:Wait"])
    right.complete(right.one("Pending:Wait"))
    assert right.states() == ["InService", "InService"]


def test_an_instance_waits_for_every_hook(right):
    right.hook(name="one")
    right.hook(name="two")
    right.resize(2)
    waiting = right.one("Pending:Wait")
    right.complete(waiting, name="one")
    assert right.instances()[waiting] == "Pending:Wait"
    right.complete(waiting, name="two")
    assert right.instances()[waiting] == "InService"


def test_what_nobody_waits_for_cannot_be_completed(right):
    right.hook()
    for instance in right.one("InService"), "i-0123456789abcdef0":
        with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
            right.complete(instance)
    right.resize(2)
    waiting = right.one("Pending:Wait")
    right.complete(waiting)
    with pytest.raises(ClientError, match="No active Lifecycle Action"):
        right.complete(waiting)


@pytest.mark.parametrize(("default", "stays"), [("CONTINUE", True), ("ABANDON", False)])
def test_a_hook_that_times_out_ends_as_its_default_says(aws, right, default, stays):
    right.hook(HeartbeatTimeout=30, DefaultResult=default)
    right.resize(2)
    waiting = right.one("Pending:Wait")
    aws.ask("autoscaling_speed", factor=1000)
    if stays:
        right.until(lambda: right.instances()[waiting] == "InService")
    else:
        right.until(lambda: waiting not in right.instances())


def test_a_heartbeat_gives_more_time_but_not_for_ever(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(lifecycle_actions, "time", SimpleNamespace(monotonic=lambda: now))
    waiting = lifecycle_actions.Waiting("ABANDON", heartbeat=60)
    now += 59
    assert not waiting.is_over()
    waiting.beat()
    now += 59
    assert not waiting.is_over()
    now += 2
    assert waiting.is_over()
    for _ in range(110):
        waiting.beat()
        now += 59
    assert now > 1000 + 100 * 60 and waiting.is_over()


def test_a_heartbeat_is_heard_only_of_who_waits(right):
    right.hook()
    wanted = {"AutoScalingGroupName": "fleet", "LifecycleHookName": "hook"}
    with pytest.raises(ClientError, match="No active Lifecycle Action"):
        right.client.record_lifecycle_action_heartbeat(**wanted, InstanceId=right.one("InService"))
    right.resize(2)
    right.client.record_lifecycle_action_heartbeat(**wanted, InstanceId=right.one("Pending:Wait"))


def test_an_instance_that_ends_waits_for_its_hook(right):
    right.hook(TERMINATING)
    instance = right.one("InService")
    right.resize(0)
    assert right.instances() == {instance: "Terminating:Wait"} and right.is_running(instance)
    right.complete(instance)
    assert right.instances() == {} and not right.is_running(instance)


def test_an_instance_that_is_terminated_alone_is_replaced(right):
    instance = right.one("InService")
    right.client.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=False)
    assert right.states() == ["InService"] and instance not in right.instances()
    right.client.terminate_instance_in_auto_scaling_group(
        InstanceId=right.one("InService"), ShouldDecrementDesiredCapacity=True
    )
    assert right.instances() == {}


def test_a_hook_can_come_with_the_group(aws):
    wanted = {"LifecycleHookName": "hook", "LifecycleTransition": LAUNCHING, "DefaultResult": "CONTINUE"}
    group = Group(aws, LifecycleHookSpecificationList=[wanted])
    assert group.states() == ["Pending:Wait"]
    (hook,) = group.client.describe_lifecycle_hooks(AutoScalingGroupName="fleet")["LifecycleHooks"]
    assert (hook["DefaultResult"], hook["HeartbeatTimeout"], hook["GlobalTimeout"]) == ("CONTINUE", 3600, 172800)


def test_suspended_processes_do_nothing_until_they_are_resumed(right):
    right.client.suspend_processes(AutoScalingGroupName="fleet", ScalingProcesses=["Launch", "Terminate"])
    right.resize(3)
    assert len(right.instances()) == 1
    right.client.resume_processes(AutoScalingGroupName="fleet", ScalingProcesses=["Launch"])
    assert len(right.instances()) == 3
    right.resize(1)
    assert len(right.instances()) == 3
    right.client.resume_processes(AutoScalingGroupName="fleet", ScalingProcesses=[])
    assert len(right.instances()) == 1


def test_a_group_that_has_instances_is_deleted_only_by_force(right):
    instance = right.one("InService")
    with pytest.raises(ClientError, match="while there are instances still in the group"):
        right.client.delete_auto_scaling_group(AutoScalingGroupName="fleet")
    right.client.delete_auto_scaling_group(AutoScalingGroupName="fleet", ForceDelete=True)
    assert not right.is_running(instance)
    assert right.client.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def make_target_group(cloud):
    ec2, elbv2 = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = elbv2.create_target_group(Name="fleet", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance")
    return made["TargetGroups"][0]["TargetGroupArn"]


def targets(cloud, arn):
    found = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {each["Target"]["Id"] for each in found if each["TargetHealth"]["State"] != "draining"}


def test_moto_registers_targets_before_their_hook_is_done_and_leaves_them(plain):
    arn = make_target_group(plain)
    gap = Group(plain, TargetGroupARNs=[arn])
    gap.hook()
    gap.resize(2)
    assert targets(plain, arn) == set(gap.instances())


def test_an_instance_is_a_target_only_while_it_is_in_service(aws):
    arn = make_target_group(aws)
    right = Group(aws, TargetGroupARNs=[arn])
    first = right.one("InService")
    assert targets(aws, arn) == {first}
    right.hook()
    right.hook(TERMINATING, "ending")
    right.resize(2)
    second = right.one("Pending:Wait")
    assert targets(aws, arn) == {first}
    right.complete(second)
    assert targets(aws, arn) == {first, second}
    right.resize(0)
    assert right.states() == ["Terminating:Wait"] * 2 and targets(aws, arn) == set()


def test_no_instance_becomes_a_target_while_that_is_suspended(aws):
    arn = make_target_group(aws)
    right = Group(aws, TargetGroupARNs=[arn])
    first = right.one("InService")
    right.client.suspend_processes(AutoScalingGroupName="fleet", ScalingProcesses=["AddToLoadBalancer"])
    right.resize(2)
    assert right.states() == ["InService", "InService"] and targets(aws, arn) == {first}


def test_a_queue_is_told_who_waits_and_the_token_completes_it(aws, right):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="hooks")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    right.hook(NotificationTargetARN=arn, RoleARN="arn:aws:iam::111122223333:role/tells", NotificationMetadata="x")
    right.resize(2)
    bodies = [
        json.loads(each["Body"]) for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    test, told = sorted(bodies, key=lambda body: "EC2InstanceId" in body)
    assert test["Event"] == "autoscaling:TEST_NOTIFICATION"
    assert told["EC2InstanceId"] == right.one("Pending:Wait") and told["NotificationMetadata"] == "x"
    assert (told["AutoScalingGroupName"], told["LifecycleTransition"]) == ("fleet", LAUNCHING)
    right.complete(None, LifecycleActionToken=told["LifecycleActionToken"])
    assert right.states() == ["InService", "InService"]
