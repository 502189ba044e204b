"""Classic load balancers: what moto bends, asserted so that a new moto shows itself, and how we put it right."""

import http.server
import threading
import time

import pytest
from botocore.exceptions import ClientError

NAME = "classic"
IMAGE = "ami-12c6146b"  # one that moto always has


class World:
    """A load balancer that asks /healthz of its instances every half second (5 s in AWS' time)."""

    def __init__(self, aws):
        self.aws, self.elb, self.ec2 = aws, aws.client("elb"), aws.client("ec2")
        listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 8080}
        zones = [each["ZoneName"] for each in self.ec2.describe_availability_zones()["AvailabilityZones"]]
        self.elb.create_load_balancer(LoadBalancerName=NAME, Listeners=[listener], AvailabilityZones=zones)
        check = {"Target": "HTTP:8080/healthz", "Interval": 5, "Timeout": 2}
        self.elb.configure_health_check(
            LoadBalancerName=NAME, HealthCheck={**check, "HealthyThreshold": 2, "UnhealthyThreshold": 2}
        )

    def instance(self):
        return self.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

    def register(self, *instances):
        return self.elb.register_instances_with_load_balancer(**asked(*instances))

    def deregister(self, *instances):
        return self.elb.deregister_instances_from_load_balancer(**asked(*instances))

    def states(self, *instances):
        told = self.elb.describe_instance_health(**asked(*instances))["InstanceStates"]
        return [(each["State"], each["ReasonCode"], each["Description"]) for each in told]

    def until(self, condition, within=30.0):
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.states()
            time.sleep(0.02)


def asked(*instances):
    return {"LoadBalancerName": NAME, "Instances": [{"InstanceId": each} for each in instances]}


def refusal(call, *instances):
    with pytest.raises(ClientError) as caught:
        call(*instances)
    return caught.value.response["Error"]["Code"]


IN_SERVICE = ("InService", "N/A", "N/A")


@pytest.fixture
def world(aws):
    return World(aws)


@pytest.fixture
def bare(plain):
    return World(plain)


@pytest.fixture
def web():
    class Answer(http.server.BaseHTTPRequestHandler):
        status = 200
        paths: list[str] = []

        def do_GET(self):
            self.paths.append(self.path)
            self.send_response(Answer.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Answer.port = server.server_port
    yield Answer
    server.shutdown()
    server.server_close()


# What moto does. A failure here means that a correction may go.


def test_gap_an_instance_is_in_service_at_once(bare):
    found = bare.instance()
    bare.register(found)
    assert bare.states(found) == [IN_SERVICE]


def test_gap_registering_does_not_tell_the_instances(bare):
    found = bare.instance()
    told = bare.register(found)["Instances"]
    assert {"InstanceId": found} not in told


def test_gap_an_instance_may_be_registered_twice(bare):
    found = bare.instance()
    bare.register(found)
    bare.register(found)
    assert len(bare.states()) == 2


def test_gap_instances_that_are_not_there_are_registered(bare):
    bare.register("i-0123456789abcdef0")


def test_gap_an_instance_that_is_not_registered_has_a_state(bare):
    assert bare.states(bare.instance())[0][0] == "Unknown"


def test_gap_a_deregistered_instance_does_not_drain(bare):
    draining = {"ConnectionDraining": {"Enabled": True, "Timeout": 300}}
    bare.elb.modify_load_balancer_attributes(LoadBalancerName=NAME, LoadBalancerAttributes=draining)
    found = bare.instance()
    bare.register(found)
    bare.deregister(found)
    assert bare.states() == []


# What ours does.


def test_an_instance_comes_into_service_when_its_checks_pass(world, web):
    found = world.instance()
    world.aws.ask("place_instance", instance=found, host="127.0.0.1", port=web.port)
    web.status = 500
    assert world.register(found)["Instances"] == [{"InstanceId": found}]
    assert world.states(found)[0][:2] in [("OutOfService", "ELB"), ("OutOfService", "Instance")]
    failed = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
    world.until(lambda: world.states(found) == [("OutOfService", "Instance", failed)])
    web.status = 200
    world.until(lambda: world.states(found) == [IN_SERVICE])
    assert set(web.paths) == {"/healthz"}
    web.status = 404
    world.until(lambda: world.states(found)[0][0] == "OutOfService")


def test_as_many_checks_as_the_threshold_must_pass_before_the_first_request(world, web):
    check = {"Target": "HTTP:8080/healthz", "Interval": 5, "Timeout": 2, "HealthyThreshold": 4, "UnhealthyThreshold": 2}
    world.elb.configure_health_check(LoadBalancerName=NAME, HealthCheck=check)
    found = world.instance()
    world.aws.ask("place_instance", instance=found, host="127.0.0.1", port=web.port)
    world.register(found)
    world.until(lambda: world.states(found) == [IN_SERVICE])
    assert len(web.paths) >= 4


def test_registering_twice_is_registering_once(world):
    found = world.instance()
    world.register(found, found)
    assert world.register(found)["Instances"] == [{"InstanceId": found}]
    assert len(world.states()) == 1


def test_a_deregistered_instance_drains_for_a_hundredth_of_its_time(world):
    draining = {"ConnectionDraining": {"Enabled": True, "Timeout": 100}}
    world.elb.modify_load_balancer_attributes(LoadBalancerName=NAME, LoadBalancerAttributes=draining)
    found = world.instance()
    world.register(found)
    began = time.monotonic()
    assert world.deregister(found)["Instances"] == []
    assert world.states(found) == [("InService", "N/A", "Instance deregistration currently in progress.")]
    assert len(world.states()) == 1
    world.until(lambda: world.states() == [])
    assert time.monotonic() - began >= 1.0
    assert refusal(world.states, found) == "InvalidInstance"


def test_without_connection_draining_an_instance_is_gone_at_once(world):
    found = world.instance()
    world.register(found)
    world.deregister(found)
    assert world.states() == []
    world.elb.get_waiter("instance_deregistered").wait(**asked(found), WaiterConfig={"Delay": 1, "MaxAttempts": 1})


def test_instances_that_are_not_there_are_refused(world):
    for call in (world.register, world.deregister, world.states):
        assert refusal(call, "i-0123456789abcdef0") == "InvalidInstance"


def test_a_stopped_instance_is_out_of_service(world):
    found = world.instance()
    world.register(found)
    world.until(lambda: world.states(found) == [IN_SERVICE])
    world.ec2.stop_instances(InstanceIds=[found])
    assert world.states(found) == [("OutOfService", "Instance", "Instance is in stopped state.")]


def test_a_load_balancer_that_is_not_there_is_told(aws):
    elb = aws.client("elb")
    for call in (elb.register_instances_with_load_balancer, elb.describe_instance_health):
        with pytest.raises(ClientError) as caught:
            call(LoadBalancerName="none", Instances=[{"InstanceId": "i-0123456789abcdef0"}])
        assert caught.value.response["Error"]["Code"] == "LoadBalancerNotFound"
