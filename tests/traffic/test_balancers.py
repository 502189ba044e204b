"""Instances and load balancers in AWS: out of traffic and back, seen by the health that real checks find."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from support.cloud import Cloud
from support.ec2_world import Ec2World
from waiting import until
from web_server import WebServer

from runner.aws import Aws, AwsError
from runner.config import InstancesConfig
from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.aws import AwsPlace
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.traffic.balancers import Balancers

HERE = AwsPlace(region="eu-west-1")
LATER = {"drain_timeout": timedelta(seconds=60), "up_timeout": timedelta(seconds=60)}


@pytest.fixture
def world(aws: Cloud) -> Ec2World:
    return Ec2World(aws)


@pytest.fixture
async def web(world: Ec2World) -> AsyncIterator[WebServer]:
    server = WebServer("hello")
    await server.start()
    yield server
    await server.stop()


def balancers(**limits: timedelta) -> Balancers:
    return Balancers([], Aws(), InstancesConfig(**{**LATER, **limits}))


def behind(*target_groups: str, classic: tuple[str, ...] = ()) -> LoadBalancing:
    return LoadBalancing(target_groups=target_groups, classic=classic, place=HERE)


def host(instance: str) -> Host:
    return Host(name=instance, instance=instance)


def nothing(line: str) -> None: ...


@asynccontextmanager
async def cut_off_after(moving: asyncio.Task[None], seen: Callable[[], object]) -> AsyncIterator[None]:
    """Within it, *moving* has been broken off as soon as something was *seen*."""
    await until(seen)
    moving.cancel()
    await asyncio.wait({moving})
    yield


async def test_an_instance_leaves_every_balancer_and_comes_back_to_each(world: Ec2World, web: WebServer) -> None:
    name, group = world.instance(), world.target_group("web", HealthCheckPath="/health", draining=30)
    world.listener(group)
    world.classic("old", draining=30)
    world.place(name, "127.0.0.1", web.port)
    world.register(group, name)
    said: list[str] = []
    where = behind("web", classic=("old",))
    await balancers().block(host(name), where, said.append)
    assert (world.states(group), world.states_of_classic("old")) == ({}, {})
    await balancers().allow(host(name), where, said.append)
    assert (world.states(group), world.states_of_classic("old")) == ({name: "healthy"}, {name: "InService"})
    assert f"classic load balancer old: {name}: in traffic, healthy\n" in said
    await balancers().block(host(name), where, said.append)
    assert (world.states(group), world.states_of_classic("old")) == ({}, {})


async def test_one_that_is_registered_nowhere_is_out_of_traffic(world: Ec2World, aws: Cloud) -> None:
    name, group = world.instance(), world.target_group("web")
    world.listener(group)
    said: list[str] = []
    await balancers().block(host(name), behind(group), said.append)
    assert said == [f"target group web: {name}: out of traffic\n"]
    assert aws.calls(mutating=True) == []


async def test_an_address_stands_for_the_instance_where_the_group_wants_addresses(
    world: Ec2World, web: WebServer
) -> None:
    name, group = world.instance(), world.target_group("web", kind="ip")
    world.listener(group)
    told = world.ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
    world.place(told["PrivateIpAddress"], "127.0.0.1", web.port)
    await balancers().check([host(name)], behind("web"))
    await balancers().allow(host(name), behind("web"), nothing)
    assert world.states(group) == {told["PrivateIpAddress"]: "healthy"}
    await balancers().block(host(name), behind("web"), nothing)
    assert world.states(group) == {}


async def test_a_move_that_was_cut_off_is_finished_by_another(world: Ec2World, web: WebServer) -> None:
    name, group = world.instance(), world.target_group("web", HealthCheckPath="/health", draining=100)
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    world.register(group, name)
    await until(lambda: world.states(group) == {name: "healthy"})
    blocking = asyncio.create_task(balancers().block(host(name), behind("web"), nothing))
    async with cut_off_after(blocking, lambda: world.states(group) == {name: "draining"}):
        await balancers().block(host(name), behind("web"), nothing)
        assert world.states(group) == {}
    web.sick = True
    allowing = asyncio.create_task(balancers().allow(host(name), behind("web"), nothing))
    async with cut_off_after(allowing, lambda: name in world.states(group)):
        web.sick = False
        await balancers().allow(host(name), behind("web"), nothing)
        assert world.states(group) == {name: "healthy"}


async def test_one_that_still_drains_is_taken_back(world: Ec2World, web: WebServer) -> None:
    name, group = world.instance(), world.target_group("web", draining=3000)
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    world.register(group, name)
    world.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": name}])
    assert world.states(group) == {name: "draining"}
    await balancers().allow(host(name), behind("web"), nothing)
    assert world.states(group) == {name: "healthy"}


async def test_past_the_limits_the_balancers_reason_is_told(world: Ec2World, web: WebServer) -> None:
    name, group = world.instance(), world.target_group("web", HealthCheckPath="/health", draining=3000)
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    web.sick = True
    at_once = {"drain_timeout": timedelta(seconds=0.5), "up_timeout": timedelta(seconds=3)}
    with pytest.raises(LoadBalancerFailed, match=r"target group web: i-.*: is (unhealthy|initial) .*up_timeout"):
        await balancers(**at_once).allow(host(name), behind("web"), nothing)
    with pytest.raises(LoadBalancerFailed, match=r"still draining .*deregistration delay"):
        await balancers(**at_once).block(host(name), behind("web"), nothing)
    world.classic("old", draining=3000)
    with pytest.raises(LoadBalancerFailed, match=r"old: i-.*: is OutOfService .*up_timeout"):
        await balancers(**at_once).allow(host(name), behind(classic=("old",)), nothing)
    with pytest.raises(LoadBalancerFailed, match=r"still InService .*deregistration currently in progress"):
        await balancers(**at_once).block(host(name), behind(classic=("old",)), nothing)


async def test_a_target_that_its_group_will_never_use_is_not_waited_for(
    world: Ec2World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.traffic.registration.HOPELESS_FOR", 1.0)
    name = world.instance()
    world.target_group("idle")
    with pytest.raises(LoadBalancerFailed, match=r"unused .*not configured to receive traffic"):
        await balancers(up_timeout=timedelta(hours=1)).allow(host(name), behind("idle"), nothing)


async def test_a_balancer_that_fails_lets_the_others_end_their_part(world: Ec2World, web: WebServer) -> None:
    name, group = world.instance(), world.target_group("web")
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    world.classic("old", path="/health")
    web.sick = True
    with pytest.raises(LoadBalancerFailed, match=r"^classic load balancer old: .*OutOfService"):
        await balancers(up_timeout=timedelta(seconds=6)).allow(host(name), behind("web", classic=("old",)), nothing)
    assert world.states(group) == {name: "healthy"}


async def test_aws_that_does_not_answer_for_a_while_is_waited_for(
    world: Ec2World, web: WebServer, aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Aws.call

    def impatient(self, place, service, operation, params, **kw):  # type: ignore[no-untyped-def]
        return real(self, place, service, operation, params, **{**kw, "patience": 0.0})

    monkeypatch.setattr(Aws, "call", impatient)
    name, group = world.instance(), world.target_group("web")
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    aws.fail("elbv2", "DescribeTargetHealth", times=2, code="ServiceUnavailable", status=503)
    aws.cut("elbv2", "RegisterTargets", times=1, carried_out=True)
    said: list[str] = []
    await balancers().allow(host(name), behind("web"), said.append)
    assert world.states(group) == {name: "healthy"}
    assert any("503" in line or "ServiceUnavailable" in line for line in said), said


async def test_reads_that_lag_behind_only_make_it_later(world: Ec2World, web: WebServer, aws: Cloud) -> None:
    name, group = world.instance(), world.target_group("web", draining=50)
    world.listener(group)
    world.place(name, "127.0.0.1", web.port)
    world.register(group, name)
    await until(lambda: world.states(group) == {name: "healthy"})
    aws.lag(1.0)
    await balancers().block(host(name), behind("web"), nothing)
    assert world.states(group) == {}
    await balancers().allow(host(name), behind("web"), nothing)
    assert world.states(group) == {name: "healthy"}


async def test_a_missing_permission_ends_the_move_and_is_named(world: Ec2World, aws: Cloud) -> None:
    name, group = world.instance(), world.target_group("web")
    world.listener(group)
    aws.deny("elbv2", "RegisterTargets", resource=group)
    with pytest.raises(LoadBalancerFailed, match=r"elasticloadbalancing:RegisterTargets") as caught:
        await balancers().allow(host(name), behind("web"), nothing)
    assert not caught.value.retryable
    aws.deny("elbv2", "DescribeTargetGroups")
    with pytest.raises(AwsError, match=r"elasticloadbalancing:DescribeTargetGroups") as denied:
        await balancers().check([host(name)], behind("web"))
    assert denied.value.code == "IAM_ROLE_PERMISSIONS"


async def test_a_host_that_is_no_instance_is_left_alone(world: Ec2World, aws: Cloud) -> None:
    said: list[str] = []
    cellar = Host(name="cellar", folder="/c")
    await balancers().check([cellar], behind("nowhere"))
    await balancers().block(cellar, behind("nowhere"), said.append)
    await balancers().allow(cellar, behind("nowhere"), said.append)
    assert len(said) == 2 and "cellar is no EC2 instance" in said[0]
    assert aws.calls() == []


async def test_what_cannot_work_is_found_beforehand(world: Ec2World) -> None:
    name, group = world.instance(), world.target_group("web")
    world.listener(group)
    world.target_group("idle")
    world.target_group("balancers", kind="alb", Protocol="TCP", HealthCheckIntervalSeconds=30)
    other = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = world.ec2.create_subnet(VpcId=other, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    far = world.instance(subnet=subnet)
    for instance, where, expected in (
        (name, behind("wbe"), "no target group wbe in eu-west-1"),
        (name, behind(group.replace("/web/", "/wbe/")), "no target group arn:.*wbe"),
        (name, behind("idle"), "no load balancer sends requests to target group idle"),
        (name, behind("balancers"), "targets of type alb"),
        (far, behind("web"), f"target group web is in {world.vpc}, and {far} in {other}"),
        (name, behind(classic=("older",)), "no classic load balancer older in eu-west-1"),
        ("i-00000000000000000", behind("web"), "the instance i-00000000000000000, which is not there"),
    ):
        with pytest.raises(InvalidLoadBalancer, match=expected):
            await balancers().check([host(instance)], where)
    await balancers().check([host(name)], behind("web"))
    world.register(group, name, port=8081)
    with pytest.raises(InvalidLoadBalancer, match="at port 8081, and would come back at the group's own, 80"):
        await balancers().check([host(name)], behind("web"))


async def test_many_that_wait_share_their_looks(world: Ec2World, web: WebServer, aws: Cloud) -> None:
    group, names = world.target_group("web", draining=200), [world.instance() for _ in range(20)]
    world.listener(group)
    for name in names:
        world.place(name, "127.0.0.1", web.port)
    world.register(group, *names)
    aws.forget()
    traffic = balancers()
    await asyncio.gather(*(traffic.block(host(name), behind("web"), nothing) for name in names))
    assert world.states(group) == {}
    looks = aws.calls(operation="DescribeTargetHealth")
    assert len(aws.calls(operation="DeregisterTargets")) == len(names)
    assert len(looks) < 2 * len(names)  # each alone would look at least three times
