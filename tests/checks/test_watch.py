"""The watch against CloudWatch and web servers: who is asked, how often, and what that does."""

import asyncio
import contextlib
import datetime as dt
import threading

import msgspec
from support import alarms
from waiting import until
from web_server import WebServer

from runner.aws import Aws
from runner.checks.before import Before
from runner.checks.cloudwatch import AlarmStates
from runner.checks.platform import WithChecks
from runner.checks.watch import Watch
from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck, Alarms, HttpCheck
from runner.model.command import Outcome
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import Act, Task, TrafficJob
from runner.ports.checks import Watched

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
IRELAND = AwsPlace(region="eu-west-1")
OHIO = AwsPlace(region="us-east-2")


class Deployments:
    """A store of values. It is no stand-in for the real one, whose tests are beside it: only what the watch sees of it."""

    def __init__(self, *watched):
        self.now = list(watched)
        self.ended = {}
        self.steps = {}

    def watched(self):
        return [each for each in self.now if each.deployment_id not in self.ended]

    def failed(self, deployment_id, error, now, *, step=None):
        assert now == NOW
        if deployment_id in self.ended:
            return False
        self.ended[deployment_id] = error
        self.steps[deployment_id] = step
        return True


def watching(deployments, interval=60.0, **more):
    return Watch(deployments, AlarmStates(Aws()), clock=lambda: NOW, interval=interval, **more)


def with_alarms(deployment_id, *names, place=IRELAND, **settings):
    return Watched(deployment_id=deployment_id, place=place, alarms=Alarms(names=names, **settings))


def with_check(deployment_id, check, step=0):
    return Watched(deployment_id=deployment_id, place=IRELAND, checks={"health": check}, step=step)


def make_alarm(aws, name, state="OK", region="eu-west-1"):
    client = aws.client("cloudwatch", region)
    alarms.make_alarm(aws, name, region)
    client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="Threshold Crossed")


def asked(aws):
    return [call.params.get("AlarmNames") for call in aws.calls(service="cloudwatch", operation="DescribeAlarms")]


async def look(watch):
    await watch.look()
    await watch.settle()


@contextlib.asynccontextmanager
async def running(watch):
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_fifty_deployments_cost_one_call_a_look(aws):
    for number in range(10):
        make_alarm(aws, f"errors-{number}")
    deployments = Deployments(*(with_alarms(f"d-{each}", f"errors-{each % 10}") for each in range(50)))
    watch = watching(deployments, interval=0.0)  # no answer is young enough for the next look
    for _ in range(3):
        await look(watch)
    assert asked(aws) == [[f"errors-{number}" for number in range(10)]] * 3
    assert deployments.ended == {}


async def test_a_hundred_names_are_one_call_and_more_are_two(aws):
    watch = watching(
        Deployments(with_alarms("d-1", *(f"a-{each:03}" for each in range(150)), ignore_poll_failure=True))
    )
    await look(watch)
    assert [len(names) for names in asked(aws)] == [100, 50]


async def test_each_region_is_asked_for_its_own(aws):
    make_alarm(aws, "errors", "ALARM", "us-east-2")
    make_alarm(aws, "errors", "OK", "eu-west-1")
    deployments = Deployments(with_alarms("d-1", "errors"), with_alarms("d-2", "errors", place=OHIO))
    await look(watching(deployments))
    assert list(deployments.ended) == ["d-2"]
    assert len(asked(aws)) == 2


async def test_an_alarm_stops_those_that_have_it_and_tells_the_driver(aws):
    make_alarm(aws, "errors", "ALARM")
    make_alarm(aws, "latency", "INSUFFICIENT_DATA")
    deployments = Deployments(with_alarms("d-1", "latency"), with_alarms("d-2", "latency", "errors"))
    told = []
    await look(watching(deployments, failed=lambda: told.append(1)))
    assert {key: error.code for key, error in deployments.ended.items()} == {"d-2": "ALARM_ACTIVE"}
    assert deployments.ended["d-2"].message == "the alarm errors is in state ALARM: Threshold Crossed"
    assert told == [1]


async def test_an_alarm_that_does_not_exist_stops_and_is_named(aws):
    deployments = Deployments(with_alarms("d-1", "gone"), with_alarms("d-2", "gone", ignore_poll_failure=True))
    await look(watching(deployments))
    assert list(deployments.ended) == ["d-1"]
    assert "alarm gone cannot be read" in deployments.ended["d-1"].message


async def test_a_missing_permission_stops_and_names_what_grants_it(aws):
    make_alarm(aws, "errors")
    aws.fail("cloudwatch", "DescribeAlarms", times=None, code="AccessDenied", status=403, message="no")
    deployments = Deployments(with_alarms("d-1", "errors"), with_alarms("d-2", "errors", ignore_poll_failure=True))
    await look(watching(deployments))
    assert list(deployments.ended) == ["d-1"]
    assert '"Action": "cloudwatch:DescribeAlarms"' in deployments.ended["d-1"].message


async def test_a_throttled_poll_is_waited_out_and_stops_nothing(aws):
    make_alarm(aws, "errors")
    aws.throttle("cloudwatch", "DescribeAlarms", times=1)
    deployments = Deployments(with_alarms("d-1", "errors"))
    await look(watching(deployments))
    assert deployments.ended == {}
    assert len(asked(aws)) == 2


async def test_a_region_that_does_not_answer_holds_up_no_other_and_is_asked_by_one(aws, monkeypatch):
    make_alarm(aws, "errors", "ALARM", "us-east-2")
    gate = threading.Event()
    hung = 0
    real = Aws.call

    def call(self, place, *rest, **more):
        nonlocal hung
        if place == IRELAND:
            hung += 1
            gate.wait(60)
        return real(self, place, *rest, **more)

    monkeypatch.setattr(Aws, "call", call)
    deployments = Deployments(with_alarms("d-1", "errors"), with_alarms("d-2", "errors", place=OHIO))
    watch = watching(deployments, interval=0.05)
    try:
        async with running(watch):
            await until(lambda: "d-2" in deployments.ended)
            deployments.now.append(with_alarms("d-3", "errors", place=OHIO))
            await until(lambda: "d-3" in deployments.ended)
            assert hung == 1
            gate.set()
            await until(lambda: "d-1" in deployments.ended)  # there is no such alarm in Ireland
    finally:
        gate.set()


async def test_a_deployment_that_begins_is_looked_at_at_once(aws):
    make_alarm(aws, "errors", "ALARM")
    deployments = Deployments()
    watch = watching(deployments, interval=3600)
    async with running(watch):
        await until(lambda: watch._loop is not None)
        deployments.now.append(with_alarms("d-1", "errors"))
        watch.wake()
        await until(lambda: "d-1" in deployments.ended)


async def look_for_news(watch):
    await watch.look(only_new=True)
    await watch.settle()


async def test_who_begins_is_asked_for_together_with_the_others_and_nobody_is_before_his_time(aws):
    make_alarm(aws, "errors")
    make_alarm(aws, "latency")
    deployments = Deployments(with_alarms("d-1", "errors"))
    watch = watching(deployments)
    await look(watch)
    deployments.now.append(with_alarms("d-2", "latency"))
    await look_for_news(watch)
    await look_for_news(watch)
    assert asked(aws) == [["errors"], ["errors", "latency"]]


async def test_a_step_without_checks_is_no_news_and_one_with_checks_is(aws):
    make_alarm(aws, "errors")
    first = with_alarms("d-1", "errors")
    deployments = Deployments(first)
    watch = watching(deployments, interval=0.0)  # whoever is looked at is asked for
    await look(watch)
    deployments.now = [msgspec.structs.replace(first, step=1)]
    await look_for_news(watch)
    assert asked(aws) == [["errors"]]
    check = {"errors": AlarmCheck(name="errors")}
    for step in (2, 3):
        deployments.now = [msgspec.structs.replace(first, step=step, checks=check)]
        await look_for_news(watch)
    assert asked(aws) == [["errors"]] * 3


async def test_alarms_are_looked_at_again_and_again(aws):
    make_alarm(aws, "errors")
    deployments = Deployments(with_alarms("d-1", "errors"))
    async with running(watching(deployments, interval=0.05)):
        await until(lambda: len(asked(aws)) >= 3)
        assert deployments.ended == {}
        make_alarm(aws, "errors", "ALARM")
        await until(lambda: "d-1" in deployments.ended)


async def test_a_store_that_fails_does_not_end_the_watch(aws):
    make_alarm(aws, "errors", "ALARM")
    deployments = Deployments(with_alarms("d-1", "errors"))
    reading, broken = deployments.watched, [RuntimeError("disk"), RuntimeError("disk")]

    def watched():
        if broken:
            raise broken.pop()
        return reading()

    deployments.watched = watched
    async with running(watching(deployments, interval=0.05)):
        await until(lambda: "d-1" in deployments.ended)


async def test_a_sick_application_fails_its_check_and_the_step_is_told():
    server = WebServer("hello")
    await server.start()
    try:
        check = HttpCheck(url=f"http://127.0.0.1:{server.port}/health")
        deployments = Deployments(with_check("d-1", check, step=3), with_check("d-2", check, step=5))
        watch = watching(deployments)
        await look(watch)
        assert deployments.ended == {}
        server.sick = True
        await look(watch)
    finally:
        await server.stop()
    assert deployments.steps == {"d-1": 3, "d-2": 5}
    assert {error.code for error in deployments.ended.values()} == {"CUSTOMER_APPLICATION_UNHEALTHY"}
    assert "the check health failed: " in deployments.ended["d-1"].message
    assert "answered 503, not 200" in deployments.ended["d-1"].message


async def test_an_alarm_of_a_step_stops_only_there(aws):
    make_alarm(aws, "errors", "ALARM")
    deployments = Deployments(with_check("d-1", AlarmCheck(name="errors"), step=2))
    await look(watching(deployments))
    assert deployments.steps == {"d-1": 2}
    assert deployments.ended["d-1"].code == "ALARM_ACTIVE"


class Prepared:
    """As much of a deployment as `Before` looks at."""

    def __init__(self, deployment_id, *names, creator="user"):
        self.id, self.creator = deployment_id, creator
        self.settings = type("Settings", (), {"alarms": Alarms(names=names) if names else None, "place": IRELAND})


def before(deployments, alarms=None):
    return Before(deployments, alarms or AlarmStates(Aws()), lambda: NOW, 10.0)


def test_deployments_that_begin_together_ask_once(aws):
    for number in range(20):
        make_alarm(aws, f"errors-{number:02}", "ALARM" if number == 7 else "OK")
    deployments = Deployments(*(with_alarms(f"d-{each}", f"errors-{each:02}") for each in range(20)))
    checking, found = before(deployments), {}

    def check(number):
        found[number] = checking.check(Prepared(f"d-{number}", f"errors-{number:02}"))

    threads = [threading.Thread(target=check, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [number for number, error in found.items() if error] == [7]
    assert list(deployments.ended) == ["d-7"]
    assert len(asked(aws)) == 1


def test_deployments_that_wait_for_a_cloud_that_fails_share_its_failure(aws):
    make_alarm(aws, "errors")
    aws.fail("cloudwatch", "DescribeAlarms", times=None)
    deployments = Deployments()
    checking, found = before(deployments, AlarmStates(Aws(), patience=0.5)), []
    threads = [
        threading.Thread(target=lambda number=number: found.append(checking.check(Prepared(f"d-{number}", "errors"))))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error.code for error in found] == ["ALARM_ACTIVE"] * 8
    assert "cannot be known" in found[0].message
    assert len(asked(aws)) < 8  # a few attempts of one poll, not one poll each


def test_a_rollback_and_what_has_no_alarms_begin_without_asking(aws):
    make_alarm(aws, "errors", "ALARM")
    deployments = Deployments()
    assert before(deployments).check(Prepared("d-1", "errors", creator="codeDeployRollback")) is None
    assert before(deployments).check(Prepared("d-2")) is None
    assert asked(aws) == []


class Moving:
    """The platform below: whatever reaches it succeeds."""

    def __init__(self):
        self.acts = []

    async def act(self, task, report):
        self.acts.append(task.act.event)
        return Outcome(succeeded=True)

    def inspect(self, job):
        return "f", STATE

    async def close(self): ...


STATE = LambdaState(function="f", alias="live", current_version="1")


def task(event, *checks, **named):
    job = TrafficJob(
        deployment_id="d-1",
        application="shop",
        group="live",
        group_id="g",
        place=IRELAND,
        spec=LambdaSpec(function="f", alias="live"),
        checks=named,
    )
    return Task(job=job, target="f", act=Act(event=event, checks=checks), attempt=1, state=STATE)


async def test_the_act_check_runs_its_checks_and_no_others(aws):
    make_alarm(aws, "errors", "OK")
    make_alarm(aws, "latency", "ALARM")
    named = {"errors": AlarmCheck(name="errors"), "latency": AlarmCheck(name="latency")}
    below, lines = Moving(), []
    platform = WithChecks(below, AlarmStates(Aws()))
    assert (await platform.act(task("Check", "errors", **named), lines.append)).succeeded
    failed = await platform.act(task("Check", "errors", "latency", **named), lines.append)
    assert (failed.succeeded, failed.code) == (False, "ALARM_ACTIVE")
    assert "the check latency failed" in failed.diagnostics.message
    assert lines[0] == "the check errors passed\n"
    assert below.acts == []


async def test_an_unhealthy_application_has_a_code_of_its_own(aws):
    with_nobody = {"health": HttpCheck(url="http://127.0.0.1:1/")}
    failed = await WithChecks(Moving(), AlarmStates(Aws())).act(task("Check", "health", **with_nobody), str)
    assert failed.code == "CUSTOMER_APPLICATION_UNHEALTHY"


async def test_other_acts_are_the_platforms(aws):
    below = Moving()
    platform = WithChecks(below, AlarmStates(Aws()))
    await platform.act(task("AllowTraffic", "errors", errors=AlarmCheck(name="errors")), str)
    assert below.acts == ["AllowTraffic"]
    assert platform.inspect(None) == ("f", STATE)
