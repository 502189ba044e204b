"""Which instances a deployment group has in EC2, asked of the corrected moto."""

import datetime as dt

import pytest
from support.cloud import Cloud
from support.ec2_world import Ec2World

from runner.aws import Aws, AwsError
from runner.config import InstancesConfig
from runner.errors import NoInstances, Refused
from runner.inventory.ec2 import Ec2Instances
from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.manifest import GroupSettings
from runner.model.rollout import Rollout
from runner.model.tags import TagFilter
from runner.model.target import Host, Ssh
from runner.plan.targets import choose

HERE = AwsPlace(region="eu-west-1")
WEB, PRODUCTION = TagFilter(key="app", value="web"), TagFilter(key="stage", value="production")


@pytest.fixture
def world(aws: Cloud) -> Ec2World:
    return Ec2World(aws)


def found(*, config: InstancesConfig | None = None, **wanted: object) -> list[Host]:
    targets = Ec2Targets(**wanted)  # type: ignore[arg-type]
    return list(Ec2Instances(Aws(), config or InstancesConfig()).found(HERE, targets))


def names(**wanted: object) -> set[str]:
    return {host.name for host in found(**wanted)}


def test_a_tag_set_is_or_inside_a_group_and_and_across_groups(world: Ec2World) -> None:
    one = world.instance(app="web", stage="production")
    two = world.instance(app="api", stage="production")
    three = world.instance(app="web", stage="staging")
    world.instance(app="Web", stage="Production")
    api = TagFilter(key="app", value="api")
    assert names(tag_set=((WEB,),)) == {one, three}
    assert names(tag_set=((WEB, api),)) == {one, two, three}
    assert names(tag_set=((WEB, api), (PRODUCTION,))) == {one, two}
    assert names(tag_set=((TagFilter(key="stage", value="prod*n"),),)) == {one, two}
    assert names(tag_set=((TagFilter(value="staging"), api),)) == {two, three}
    assert len(names(tag_set=((TagFilter(key="app"),),))) == 4
    assert names(tag_set=((TagFilter(key="nobody"),),)) == set()


def test_an_instance_that_is_powered_off_is_a_target_and_one_that_ends_is_none(world: Ec2World) -> None:
    off, gone = world.instance(app="web"), world.instance(app="web")
    world.ec2.stop_instances(InstanceIds=[off])
    world.ec2.terminate_instances(InstanceIds=[gone])
    assert names(tag_set=((WEB,),)) == {off}


def test_instances_of_auto_scaling_groups_come_in_addition_and_once(world: Ec2World) -> None:
    single = world.instance(app="web")
    members = world.auto_scaling_group("web", 3, app="web")
    others = world.auto_scaling_group("api", 2)
    assert names(tag_set=((WEB,),)) == {single, *members}
    assert names(auto_scaling_groups=("web",)) == set(members)
    together = found(tag_set=((WEB,),), auto_scaling_groups=("web", "api"))
    assert [host.name for host in together] == sorted([single, *members, *others])


def test_a_member_that_is_not_in_service_is_none_of_the_groups(world: Ec2World) -> None:
    first, second = world.auto_scaling_group("web", 2)
    world.autoscaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    assert names(auto_scaling_groups=("web",)) == {second}


def test_an_auto_scaling_group_that_is_not_there_is_named(world: Ec2World) -> None:
    world.auto_scaling_group("web", 1)
    with pytest.raises(Refused, match="no Auto Scaling group wbe in eu-west-1") as caught:
        names(auto_scaling_groups=("web", "wbe"))
    assert caught.value.code == "AUTO_SCALING_CONFIGURATION"


def test_a_missing_permission_is_named_with_its_statement(world: Ec2World, aws: Cloud) -> None:
    aws.deny("ec2", "DescribeInstances")
    with pytest.raises(AwsError, match="ec2:DescribeInstances") as caught:
        names(tag_set=((WEB,),))
    assert caught.value.code == "IAM_ROLE_PERMISSIONS"
    assert caught.value.statement == {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}


def test_an_instance_is_reached_as_the_configuration_says(world: Ec2World) -> None:
    name = world.instance(zone=1, app="web")
    told = world.ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
    ssh = Ssh(user="ec2-user", identity_files=("/k",), connect_timeout=dt.timedelta(seconds=3))
    (host,) = found(config=InstancesConfig(ssh=ssh, environment={"A": "b"}), tag_set=((WEB,),))
    assert host.ssh is not None and host.ssh.address == told["PrivateIpAddress"]
    assert (host.ssh.user, host.ssh.connect_timeout) == ("ec2-user", dt.timedelta(seconds=3))
    assert (host.transport, host.instance, host.zone) == ("ssh", name, world.zones[1])
    assert (host.tags, host.environment) == ({"app": "web"}, {"A": "b"})
    (host,) = found(config=InstancesConfig(address="private_dns"), tag_set=((WEB,),))
    assert host.ssh is not None and host.ssh.address == told["PrivateDnsName"]
    (host,) = found(config=InstancesConfig(transport="agent"), tag_set=((WEB,),))
    assert (host.transport, host.ssh) == ("agent", None)


def test_hosts_and_instances_are_one_fleet_in_which_each_machine_is_once(world: Ec2World) -> None:
    one, two = world.instance(zone=2, app="web"), world.instance(app="web")
    known = [
        Host(name="web-1", folder="/w1", tags={"app": "web"}, instance=one),
        Host(name="cellar", folder="/c", tags={"app": "web"}),
        Host(name="db", folder="/d", tags={"app": "db"}),
    ]
    settings = GroupSettings(
        name="g", tags={"app": ("web",)}, ec2=Ec2Targets(tag_set=((WEB,),)), rollout=Rollout(name="r"), place=HERE
    )
    instances = Ec2Instances(Aws(), InstancesConfig()).of(settings)
    chosen = {host.name: host for host in choose(known, settings, instances)}
    assert set(chosen) == {"web-1", "cellar", two}
    assert (chosen["web-1"].folder, chosen["web-1"].zone) == ("/w1", world.zones[2])
    without_tags = GroupSettings(name="g", ec2=settings.ec2, rollout=Rollout(name="r"), place=HERE)
    assert {host.name for host in choose(known, without_tags, instances)} == {"web-1", two}


def test_a_group_without_instances_says_what_it_looked_for_and_where(world: Ec2World) -> None:
    settings = GroupSettings(
        name="web",
        ec2=Ec2Targets(tag_set=((WEB,), (PRODUCTION,)), auto_scaling_groups=("empty",)),
        rollout=Rollout(name="r"),
        place=HERE,
    )
    world.auto_scaling_group("empty", 0)
    with pytest.raises(NoInstances) as caught:
        choose([], settings, Ec2Instances(Aws(), InstancesConfig()).of(settings))
    expected = "no EC2 instance in eu-west-1 by app=web and stage=production, Auto Scaling group empty"
    assert expected in caught.value.message


def test_tags_and_members_are_asked_for_in_three_requests(world: Ec2World, aws: Cloud) -> None:
    members = world.auto_scaling_group("large", 20)
    aws.forget()
    assert names(tag_set=((WEB,),), auto_scaling_groups=("large",)) == set(members)
    assert [call.name for call in aws.calls()] == [
        "ec2:DescribeInstances",
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeInstances",
    ]
