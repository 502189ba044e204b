"""The data plane of the fake cloud: requests go where listeners, rules, weights and health say, and none is lost."""

import json
import sys
import threading
import urllib.error
import urllib.request

import pytest
from support.balancer import Message, Rule, shares
from support.ecs_world import CLUSTER, SERVICE, EcsWorld, forward
from support.traffic import Load

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(port, path="/", host="x", **headers):
    """Status and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"host": host, **headers})
    try:
        with _DIRECT.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def world(aws):
    """Blue and green both run; all traffic goes to blue."""
    world = EcsWorld(aws)
    world.serve("EXTERNAL", desired=2)
    world.shift(100, 0)
    world.task_set(world.task_definition(), world.green)
    world.until(lambda: world.states(world.green) == ["healthy"] * 2)
    return world


def test_shares_are_exact_and_evenly_mixed():
    mixed = shares({"a": 3, "b": 1})
    assert [next(mixed) for _ in range(8)] == ["a", "a", "b", "a", "a", "a", "b", "a"]
    assert list(shares({"a": 0})) == [] and list(shares({})) == []


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ({"Field": "path-pattern", "Values": ["/api/*"]}, True),
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/web", "/api/v?"]}}, True),
        ({"Field": "path-pattern", "Values": ["/API/*"]}, False),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example"]}}, True),
        ({"Field": "host-header", "Values": ["example"]}, False),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["yes"]}}, True),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, False),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "beta", "Value": "1"}]}}, True),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "beta", "Value": "0"}]}}, False),
    ],
)
def test_a_rule_takes_what_its_conditions_say(condition, taken):
    headers = {"host": "shop.example:8080", "x-canary": "yes"}
    request = Message("GET /api/v1?beta=1&x= HTTP/1.1", headers, b"")
    assert Rule("arn", (condition,)).takes(request) is taken
    never = {"Field": "path-pattern", "Values": ["/other"]}
    assert not Rule("arn", (condition, never)).takes(request)


def test_requests_follow_the_weights_at_once(world):
    port = world.open(world.listener)
    with Load(port) as load:
        load.wait_for(50)
        assert load.shares() == {"web:1": len(load.answers)}
        for weight in (10, 50, 100):
            world.shift(100 - weight, weight)
            load.wait_for(200)
            world.until(lambda: load.share("web:2", last=200) == pytest.approx(weight / 100, abs=0.02))  # noqa: B023
    assert load.failures == []
    seen = world.aws.ask("traffic", listener=world.listener)
    assert seen["requests"] == len(load.answers) and seen["failed"] == 0
    assert seen["groups"] == {world.blue: load.shares()["web:1"], world.green: load.shares()["web:2"]}
    world.aws.ask("forget_traffic", listener=world.listener)
    assert world.aws.ask("traffic", listener=world.listener)["requests"] == 0


def test_requests_are_spread_over_the_targets_of_a_group(aws):
    world = EcsWorld(aws)
    aws.ask("run_image", image="who", command=[sys.executable, "-I", "-c", _WHO])
    world.serve("ECS", desired=3, taskDefinition=world.task_definition(image="who:1"))
    with Load(world.open(world.listener), parallel=4) as load:
        load.wait_for(90)
    assert load.failures == []
    assert len(load.shares()) == 3
    assert max(load.shares().values()) - min(load.shares().values()) <= 4


_WHO = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOST"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer).serve_forever()
"""


def test_rules_come_before_the_default_action_in_the_order_of_their_priorities(world):
    def rule(priority, pattern, action):
        conditions = [{"Field": "path-pattern", "Values": [pattern]}]
        world.elbv2.create_rule(ListenerArn=world.listener, Priority=priority, Conditions=conditions, Actions=[action])

    fixed = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "not here"}
    rule(20, "/new/*", forward({world.green: 1}))
    rule(10, "/new/old", {"Type": "fixed-response", "FixedResponseConfig": fixed})
    port = world.open(world.listener)
    assert get(port, "/new/x") == (200, "web:2")
    assert get(port, "/new/old") == (404, "not here")
    assert get(port, "/") == (200, "web:1")
    assert get(world.open(world.test_listener), "/new/x") == (200, "web:1"), "each listener has its own rules"


def test_a_group_without_targets_gives_503_whatever_the_other_group_has(world):
    empty = world.target_group("empty")
    world.elbv2.modify_listener(ListenerArn=world.listener, DefaultActions=[forward({world.blue: 1, empty: 1})])
    port = world.open(world.listener)
    assert sorted(get(port)[0] for _ in range(4)) == [200, 200, 503, 503]
    assert world.aws.ask("traffic", listener=world.listener)["failed"] == 2


def test_a_target_that_dies_fails_its_requests_until_it_is_replaced(world):
    port = world.open(world.listener)
    with Load(port, parallel=4) as load:
        load.wait_for(40)
        assert not load.failures
        for arn in world.ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]:
            world.ecs.stop_task(cluster=CLUSTER, task=arn, reason="a test")
        world.until(lambda: "503" in load.failures)
        world.until(lambda: world.states(world.blue).count("healthy") == 2)
        world.until(lambda: answers_well(load))


def answers_well(load):
    failed = len(load.failures)
    load.wait_for(100)
    return len(load.failures) == failed


def test_requests_under_way_end_while_their_target_drains(world):
    """1000 s of draining are 10 s here; the request takes 1.5 s."""
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "1000"}
    world.elbv2.modify_target_group_attributes(TargetGroupArn=world.blue, Attributes=[delay])
    port = world.open(world.listener)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(get(port, "/slow?1.5")))
    slow.start()
    world.until(lambda: world.aws.ask("traffic", listener=world.listener)["under_way"] == 1)
    world.shift(0, 100)
    old = next(each for each in world.task_sets() if each["status"] == "PRIMARY")
    world.ecs.delete_task_set(cluster=CLUSTER, service=SERVICE, taskSet=old["id"], force=True)
    world.until(lambda: set(world.states(world.blue)) == {"draining"})
    assert not answers
    slow.join()
    assert answers == [(200, "web:1")]
    assert set(world.states(world.blue)) == {"draining"}
    assert get(port) == (200, "web:2")


def test_a_whole_rollout_under_load_loses_nothing(world):
    blue = next(each for each in world.task_sets() if each["status"] == "PRIMARY")
    green = next(each for each in world.task_sets() if each["status"] != "PRIMARY")
    with Load(world.open(world.listener)) as load:
        for weight in (10, 40, 70, 100):
            world.shift(100 - weight, weight)
            load.wait_for(60)
        world.ecs.update_service_primary_task_set(cluster=CLUSTER, service=SERVICE, primaryTaskSet=green["taskSetArn"])
        world.ecs.delete_task_set(cluster=CLUSTER, service=SERVICE, taskSet=blue["id"], force=True)
        world.until(lambda: [each["status"] for each in world.task_sets()] == ["PRIMARY"])
        load.wait_for(60)
    assert load.failures == []
    assert load.share("web:2", last=60) == 1


def test_a_listener_that_is_not_there_has_no_port(aws):
    world = EcsWorld(aws)
    with pytest.raises(AssertionError, match="no listener"):
        world.open(world.listener + "0")


def test_an_emptied_cloud_answers_no_more(world):
    port = world.open(world.listener)
    assert get(port)[0] == 200
    world.aws.reset()
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        get(port)


def test_bodies_and_headers_reach_the_target_and_come_back(aws):
    world = EcsWorld(aws)
    aws.ask("run_image", image="echo", command=[sys.executable, "-I", "-c", _ECHO])
    world.serve("ECS", desired=1, taskDefinition=world.task_definition(image="echo@sha256:" + "0" * 64))
    port = world.open(world.listener)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/a?b=c", data=b"x" * 100_000, headers={"x-mine": "1"})
    with _DIRECT.open(request, timeout=30) as answer:
        told = json.load(answer)
    assert told == {"path": "/a?b=c", "length": 100_000, "x-mine": "1"}


_ECHO = """
import http.server, json, os
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told = {"path": self.path, "length": len(body), "x-mine": self.headers["x-mine"]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Echo).serve_forever()
"""
