"""Application and network load balancers: what moto bends, asserted so that a new moto shows itself, and what ours does."""

import http.server
import threading
import time

import pytest
from botocore.exceptions import ClientError
from support.ecs_world import EcsWorld, forward
from support.probes import Health, matches

IMAGE = "ami-12c6146b"  # one that moto always has


class Web:
    """A web server of the test: answers with `status`, after `delay` seconds."""

    def __init__(self):
        self.status, self.delay, self.paths = 200, 0.0, []
        outer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                time.sleep(outer.delay)
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web():
    made = Web()
    yield made
    made.close()


@pytest.fixture
def bare(plain):
    """The same load balancer on moto as it comes."""
    return EcsWorld(plain)


@pytest.fixture
def world(aws):
    return EcsWorld(aws)


def register(world, port, group=None, target="127.0.0.1"):
    world.elbv2.register_targets(TargetGroupArn=group or world.blue, Targets=[{"Id": target, "Port": port}])


def health(world, group=None, **asked):
    told = world.elbv2.describe_target_health(TargetGroupArn=group or world.blue, **asked)["TargetHealthDescriptions"]
    return [each["TargetHealth"] for each in told]


def instance(world):
    ec2 = world.aws.client("ec2")
    return ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]


def refusal(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


# What moto does. A failure here means that a correction may go.


def test_gap_a_target_is_healthy_as_soon_as_it_is_registered(bare):
    register(bare, 1)
    assert health(bare) == [{"State": "healthy"}]


def test_gap_a_target_of_an_unused_group_is_healthy(bare):
    register(bare, 1, bare.green)
    assert health(bare, bare.green) == [{"State": "healthy"}]


def test_gap_a_deregistered_target_does_not_drain(bare):
    register(bare, 1)
    bare.elbv2.deregister_targets(TargetGroupArn=bare.blue, Targets=[{"Id": "127.0.0.1"}])
    assert health(bare) == []


def test_gap_weights_above_999_are_taken(bare):
    bare.shift(1000, 0)


def test_gap_a_listener_may_forward_to_a_group_that_is_not_there(bare):
    bare.elbv2.modify_listener(ListenerArn=bare.listener, DefaultActions=[forward({bare.blue + "0": 1})])


def test_gap_instances_that_are_not_there_are_registered(bare):
    group = bare.target_group("instances", kind="instance")
    register(bare, 80, group, "i-0123456789abcdef0")


def test_gap_a_group_that_a_listener_is_changed_to_is_not_used(bare):
    bare.shift(0, 1)
    told = bare.elbv2.describe_target_groups(TargetGroupArns=[bare.green])["TargetGroups"][0]
    assert told["LoadBalancerArns"] == []


def test_gap_default_rules_are_modified(bare):
    rule = bare.elbv2.describe_rules(ListenerArn=bare.listener)["Rules"][0]
    assert rule["IsDefault"]
    bare.elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=[forward({bare.green: 1})])


def test_gap_deregistering_a_target_that_is_not_there_is_an_error(bare):
    """The API reference says that it "returns successfully"."""
    asked = {"TargetGroupArn": bare.blue, "Targets": [{"Id": "127.0.0.1"}]}
    assert refusal(bare.elbv2.deregister_targets, **asked) == "InvalidTarget"


# What ours does.


def test_a_target_is_initial_until_one_check_has_passed(world, web):
    web.delay = 0.3
    register(world, web.port)
    assert health(world)[0]["State"] == "initial"
    assert health(world)[0]["Reason"] in ("Elb.RegistrationInProgress", "Elb.InitialHealthChecking")
    world.until(lambda: health(world) == [{"State": "healthy"}])
    assert set(web.paths) == {"/"}


def test_health_follows_the_answers(world, web):
    """Twice well or twice ill, every half second here."""
    register(world, web.port)
    world.until(lambda: world.states(world.blue) == ["healthy"])
    web.status = 500
    world.until(lambda: world.states(world.blue) == ["unhealthy"])
    assert health(world)[0]["Reason"] == "Target.ResponseCodeMismatch"
    assert health(world)[0]["Description"] == "Health checks failed with these codes: [500]"
    web.status = 200
    world.until(lambda: world.states(world.blue) == ["healthy"])
    web.close()
    world.until(lambda: world.states(world.blue) == ["unhealthy"])
    assert health(world)[0]["Reason"] == "Target.FailedHealthChecks"


def test_a_target_that_never_answers_is_unhealthy(world, web):
    register(world, web.port)
    web.status = 503
    world.until(lambda: world.states(world.blue) == ["unhealthy"])


def test_checks_ask_the_path_and_port_and_take_the_codes_that_the_group_names(aws, web):
    web.status = 204
    how = {"HealthCheckPath": "/healthz?deep", "HealthCheckPort": str(web.port), "Matcher": {"HttpCode": "201-204"}}
    world = EcsWorld(aws, health=how)
    register(world, 1)
    world.until(lambda: world.states(world.blue) == ["healthy"])
    assert set(web.paths) == {"/healthz?deep"}
    assert matches(200, "200,302") and matches(302, "200,302") and not matches(301, "200,302-399")


def test_a_group_of_tcp_only_connects(world, web):
    made = world.elbv2.create_target_group(
        Name="tcp", Protocol="TCP", Port=80, VpcId=world.vpc, TargetType="ip", HealthCheckIntervalSeconds=10
    )
    group = made["TargetGroups"][0]["TargetGroupArn"]
    world.elbv2.modify_listener(ListenerArn=world.test_listener, DefaultActions=[forward({group: 1})])
    register(world, web.port, group)
    world.until(lambda: world.states(group) == ["healthy"])
    assert web.paths == []


def test_a_group_is_used_as_long_as_a_listener_or_rule_names_it(world, web):
    register(world, web.port, world.green)
    assert health(world, world.green)[0]["Reason"] == "Target.NotInUse"
    assert world.states(world.green) == ["unused"] and web.paths == []
    world.shift(100, 0)
    world.until(lambda: world.states(world.green) == ["healthy"])
    told = world.elbv2.describe_target_groups(TargetGroupArns=[world.green])["TargetGroups"][0]
    assert told["LoadBalancerArns"] == [world.load_balancer]
    world.elbv2.modify_listener(ListenerArn=world.listener, DefaultActions=[forward({world.blue: 1})])
    assert world.states(world.green) == ["unused"]


def test_a_deregistered_target_drains_for_a_hundredth_of_the_delay(world, web):
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "100"}
    world.elbv2.modify_target_group_attributes(TargetGroupArn=world.blue, Attributes=[delay])
    register(world, web.port)
    world.until(lambda: world.states(world.blue) == ["healthy"])
    began = time.monotonic()
    target = [{"Id": "127.0.0.1", "Port": web.port}]
    world.elbv2.deregister_targets(TargetGroupArn=world.blue, Targets=target)
    assert health(world)[0]["Reason"] == "Target.DeregistrationInProgress"
    assert health(world, Targets=target)[0]["State"] == "draining"
    world.until(lambda: world.states(world.blue) == [])
    assert time.monotonic() - began >= 1.0
    assert health(world, Targets=target)[0] == {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    world.elbv2.deregister_targets(TargetGroupArn=world.blue, Targets=target)  # again, and no error


def test_a_target_that_comes_back_while_it_drains_is_checked_anew(world, web):
    register(world, web.port)
    world.until(lambda: world.states(world.blue) == ["healthy"])
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "3000"}
    world.elbv2.modify_target_group_attributes(TargetGroupArn=world.blue, Attributes=[delay])
    world.elbv2.deregister_targets(TargetGroupArn=world.blue, Targets=[{"Id": "127.0.0.1"}])
    assert world.states(world.blue) == ["draining"]
    web.delay = 0.3
    register(world, web.port)
    assert world.states(world.blue) == ["initial"]
    world.until(lambda: world.states(world.blue) == ["healthy"])


def test_an_instance_is_asked_where_the_test_has_placed_it(world, web):
    found = instance(world)
    group = world.target_group("instances", kind="instance")
    world.elbv2.modify_listener(ListenerArn=world.listener, DefaultActions=[forward({group: 1})])
    world.aws.ask("place_instance", instance=found, host="127.0.0.1", port=web.port)
    web.status = 500
    register(world, 80, group, found)
    world.until(lambda: world.states(group) == ["unhealthy"])
    web.status = 200
    world.until(lambda: world.states(group) == ["healthy"])
    world.aws.client("ec2").stop_instances(InstanceIds=[found])
    assert health(world, group)[0]["Reason"] == "Target.InvalidState"


def test_an_instance_that_nobody_placed_is_taken_to_answer(world):
    found = instance(world)
    group = world.target_group("instances", kind="instance")
    world.elbv2.modify_listener(ListenerArn=world.listener, DefaultActions=[forward({group: 1})])
    register(world, 80, group, found)
    world.until(lambda: world.states(group) == ["healthy"])


def test_what_is_not_there_is_refused(world):
    nowhere = [forward({world.blue: 1, world.blue + "0": 1})]
    assert (
        refusal(world.elbv2.modify_listener, ListenerArn=world.listener, DefaultActions=nowhere)
        == "TargetGroupNotFound"
    )
    rule = world.elbv2.create_rule(
        ListenerArn=world.listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
        Actions=[forward({world.blue: 1})],
    )["Rules"][0]["RuleArn"]
    assert refusal(world.elbv2.modify_rule, RuleArn=rule, Actions=nowhere) == "TargetGroupNotFound"
    group = world.target_group("instances", kind="instance")
    stranger = {"TargetGroupArn": group, "Targets": [{"Id": "i-0123456789abcdef0"}]}
    assert refusal(world.elbv2.register_targets, **stranger) == "InvalidTarget"
    name = {"TargetGroupArn": world.blue, "Targets": [{"Id": "i-0123456789abcdef0"}]}
    assert refusal(world.elbv2.register_targets, **name) == "ValidationError"
    told = world.elbv2.describe_listeners(ListenerArns=[world.listener])["Listeners"][0]["DefaultActions"]
    assert [each["TargetGroupArn"] for each in told[0]["ForwardConfig"]["TargetGroups"]] == [world.blue]


@pytest.mark.parametrize("weight", [1000, 100_000])
def test_weights_are_at_most_999(world, weight):
    actions = [forward({world.blue: weight})]
    assert refusal(world.elbv2.modify_listener, ListenerArn=world.listener, DefaultActions=actions) == "ValidationError"
    world.shift(999, 0)


def test_a_default_rule_is_changed_by_its_listener_only(world):
    rule = world.elbv2.describe_rules(ListenerArn=world.listener)["Rules"][0]
    asked = {"RuleArn": rule["RuleArn"], "Actions": [forward({world.green: 1})]}
    assert refusal(world.elbv2.modify_rule, **asked) == "OperationNotPermitted"


def test_failures_of_a_new_target_count_once_per_interval():
    """It may still be starting: quick checks look for the first success, and only those on the hour count against it."""
    new = Health(first=1, up=2, down=2, interval=100.0)  # every 10 s here
    start = time.monotonic()
    for second in range(9):
        new.take("500", start + second)
    assert new.state == "initial"
    new.take("500", start + 10.1)
    assert new.state == "initial"
    new.take("500", start + 12)
    assert new.state == "initial"
    new.take("500", start + 20.2)
    assert (new.state, new.reason) == ("unhealthy", "500")
    new.take(None, start + 30)
    assert new.state == "unhealthy"
    new.take(None, start + 40)
    assert (new.state, new.reason) == ("healthy", "")
