"""The cloud of the tests: what it records, and what goes wrong in it on demand."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError
from support.cloud import cloud
from support.ecs_world import CLUSTER, SERVICE, EcsWorld, forward
from support.functions import archive, make_function, role

FUNCTION = {"FunctionName": "orders", "Runtime": "python3.11", "Handler": "app.handler"}


def client(service="lambda", attempts=1, read_timeout=30):
    """The client under test, as `aws` has set the environment."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=read_timeout)
    return boto3.session.Session().client(service, config=config)


def create(aws, name="orders"):
    return client().create_function(
        **{**FUNCTION, "FunctionName": name}, Role=role(aws), Code={"ZipFile": archive("x = 1")}
    )


def code_of(caught):
    return caught.value.response["Error"]["Code"]


def test_every_call_is_recorded_with_what_it_asked_and_what_was_answered(aws):
    create(aws)
    with pytest.raises(ClientError):
        client().get_alias(FunctionName="orders", Name="none")
    client("elbv2").describe_load_balancers(Names=[]) and client("elb").describe_load_balancers()
    client("cloudwatch").describe_alarms(AlarmNames=["a", "b"])

    calls = aws.calls()
    assert [call.name for call in calls] == [
        "lambda:CreateFunction",
        "lambda:GetAlias",
        "elbv2:DescribeLoadBalancers",
        "elb:DescribeLoadBalancers",
        "cloudwatch:DescribeAlarms",
    ]
    assert [call.status for call in calls] == [201, 404, 200, 200, 200]
    assert calls[0].params["FunctionName"] == "orders" and calls[0].params["Code"]["ZipFile"].startswith("<")
    assert calls[1].params == {"FunctionName": "orders", "Name": "none"}
    assert calls[1].code == "ResourceNotFoundException"
    assert calls[4].params["AlarmNames"] == ["a", "b"]
    assert {call.region for call in calls} == {"eu-west-1"}
    assert [call.name for call in aws.calls(mutating=True)] == ["lambda:CreateFunction"]


def test_the_tests_own_calls_are_recorded_apart_and_outlive_in_a_file(aws):
    aws.client("ecs").create_cluster(clusterName="shop")
    client("ecs").list_clusters()

    assert [call.name for call in aws.calls()] == ["ecs:ListClusters"]
    assert [call.name for call in aws.calls(who="test")] == ["ecs:CreateCluster"]
    aws.forget()
    assert aws.calls(who="*") == []
    kept = [json.loads(line) for line in (aws.folder / "calls.jsonl").read_text().splitlines()]
    assert [call["operation"] for call in kept[-2:]] == ["CreateCluster", "ListClusters"]


def test_an_account_is_the_one_of_the_examples_and_a_role_acts_in_its_own(aws):
    assert client("sts").get_caller_identity()["Account"] == "111122223333"
    given = client("sts").assume_role(RoleArn=role(aws, "deploy"), RoleSessionName="tests")["Credentials"]
    assumed = boto3.session.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert ":assumed-role/deploy/tests" in assumed.client("sts").get_caller_identity()["Arn"]


def test_objects_come_back_as_they_were_put(aws):
    s3 = client("s3")
    s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="bundles", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="bundles", Key="a/b c.zip", Body=b"first")["VersionId"]
    s3.upload_fileobj(io.BytesIO(bytes(9_000_000)), "bundles", "a/b c.zip")
    assert s3.head_object(Bucket="bundles", Key="a/b c.zip")["ContentLength"] == 9_000_000
    assert s3.get_object(Bucket="bundles", Key="a/b c.zip", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket="bundles", Key="a/b c.zip", VersionId=first, Range="bytes=1-2")["Body"].read() == b"ir"
    signed = s3.generate_presigned_url("get_object", {"Bucket": "bundles", "Key": "a/b c.zip", "VersionId": first})
    with urllib.request.urlopen(signed, timeout=30) as answer:
        assert answer.read() == b"first"
    assert {"s3:PutObject", "s3:UploadPart", "s3:HeadObject", "s3:GetObject"} <= {call.name for call in aws.calls()}


def test_what_moto_cannot_do_is_told_at_once_and_never_tried_again(aws):
    with pytest.raises(ClientError, match="not been implemented") as caught:
        client("autoscaling", attempts=5).start_instance_refresh(AutoScalingGroupName="fleet")
    assert code_of(caught) == "MotoCannot"
    assert len(aws.calls(operation="StartInstanceRefresh")) == 1


def test_a_refused_call_has_no_effect_and_is_refused_so_often(aws):
    aws.fail("lambda", "CreateFunction", times=2, code="ServiceException", status=500)
    for _ in range(2):
        with pytest.raises(ClientError, match="ServiceException"):
            create(aws)
    assert aws.client("lambda").list_functions()["Functions"] == []
    create(aws)
    assert [call.carried_out for call in aws.calls(mutating=True)] == [False, False, True]


def test_an_answer_can_be_lost_after_the_call_took_effect(aws):
    aws.fail("lambda", "CreateFunction", code="ServiceException", status=503, carried_out=True)
    with pytest.raises(ClientError, match="ServiceException"):
        create(aws)
    aws.cut("lambda", "DeleteFunction", carried_out=True)
    assert len(aws.client("lambda").list_functions()["Functions"]) == 1
    with pytest.raises(ConnectionClosedError):
        client().delete_function(FunctionName="orders")
    assert aws.client("lambda").list_functions()["Functions"] == []


def test_nothing_fails_for_the_tests_themselves(aws):
    aws.deny("*", "*")
    aws.lag(60)
    make_function(aws, "orders", "def handler(event, context): pass")
    assert len(aws.client("lambda").list_functions()["Functions"]) == 1


@pytest.mark.parametrize(
    ("service", "operation", "method", "code", "action"),
    [
        ("lambda", "ListFunctions", "list_functions", "AccessDeniedException", "lambda:ListFunctions"),
        ("ecs", "ListClusters", "list_clusters", "AccessDeniedException", "ecs:ListClusters"),
        (
            "elbv2",
            "DescribeLoadBalancers",
            "describe_load_balancers",
            "AccessDenied",
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
        ("cloudwatch", "DescribeAlarms", "describe_alarms", "AccessDenied", "cloudwatch:DescribeAlarms"),
        ("ec2", "DescribeInstances", "describe_instances", "UnauthorizedOperation", "ec2:DescribeInstances"),
        ("s3", "ListBuckets", "list_buckets", "AccessDenied", "s3:ListAllMyBuckets"),
    ],
)
def test_a_missing_permission_is_told_in_each_protocol(aws, service, operation, method, code, action):
    aws.deny(service, operation)
    with pytest.raises(ClientError, match=f"is not authorized to perform: {action} ") as caught:
        getattr(client(service), method)()
    assert code_of(caught) == code
    aws.mend()
    getattr(client(service), method)()


def test_a_throttled_call_is_one_that_botocore_tries_again(aws):
    for service, method in ("lambda", "list_functions"), ("ecs", "list_clusters"), ("ec2", "describe_instances"):
        aws.throttle(service, times=2)
        getattr(client(service, attempts=3), method)()
        assert [call.carried_out for call in aws.calls(service=service)] == [False, False, True]


def test_calls_beyond_the_limit_are_throttled(aws):
    aws.limit("lambda", per_second=5)
    refused, ours = 0, client()
    for _ in range(20):
        try:
            ours.list_functions()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "TooManyRequestsException"
            refused += 1
    calls = aws.calls(service="lambda")
    seconds = calls[-1].at - calls[0].at
    assert 20 - refused <= 5 + 5 * seconds + 1
    assert 20 - refused >= 5


def test_a_held_call_waits_before_it_takes_effect(aws):
    with ThreadPoolExecutor(1) as thread, aws.hold("lambda", "CreateFunction") as held:
        creating = thread.submit(create, aws)
        held.wait_for(1)
        assert not creating.done() and aws.client("lambda").list_functions()["Functions"] == []
        aws.mend()
        assert creating.result(timeout=30)["FunctionName"] == "orders"


def test_a_held_answer_comes_after_the_call_took_effect(aws):
    with aws.hold("lambda", "CreateFunction", carried_out=True) as held:
        with pytest.raises(ReadTimeoutError):
            client(read_timeout=1).create_function(**FUNCTION, Role=role(aws), Code={"ZipFile": archive("x = 1")})
        held.wait_for(1)
        assert len(aws.client("lambda").list_functions()["Functions"]) == 1


def test_temporary_credentials_expire_on_demand_and_new_ones_work(aws):
    def assume():
        given = client("sts").assume_role(RoleArn=role(aws, "deploy"), RoleSessionName="tests")["Credentials"]
        return boto3.session.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    first = assume()
    first.client("lambda").list_functions()
    aws.expire_credentials()
    with pytest.raises(ClientError) as caught:
        first.client("lambda").list_functions()
    assert code_of(caught) == "ExpiredTokenException"
    with pytest.raises(ClientError) as caught:
        first.client("elbv2").describe_load_balancers()
    assert code_of(caught) == "ExpiredToken"
    assume().client("lambda").list_functions()


def test_reads_show_a_state_of_before(aws):
    create(aws)
    lagging, own = client(), aws.client("lambda")
    aws.lag(600)
    lagging.create_alias(FunctionName="orders", Name="live", FunctionVersion="$LATEST")
    own.update_function_configuration(FunctionName="orders", Description="changed")
    with pytest.raises(ClientError, match="Cannot find alias"):
        lagging.get_alias(FunctionName="orders", Name="live")
    assert lagging.get_function_configuration(FunctionName="orders")["Description"] == ""
    assert own.get_alias(FunctionName="orders", Name="live")["FunctionVersion"] == "$LATEST"
    assert own.get_function_configuration(FunctionName="orders")["Description"] == "changed"
    aws.lag(0)
    assert lagging.get_function_configuration(FunctionName="orders")["Description"] == "changed"


def test_reads_of_services_and_listeners_lag_too(aws):
    world = EcsWorld(aws)
    world.create("CODE_DEPLOY", desired=1)
    ecs, elbv2 = client("ecs"), client("elbv2")
    aws.lag(600)
    ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0)
    actions = [forward({world.blue: 1, world.green: 3})]
    elbv2.modify_listener(ListenerArn=world.listener, DefaultActions=actions)

    def seen(ecs, elbv2):
        (service,) = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
        (listener,) = elbv2.describe_listeners(ListenerArns=[world.listener])["Listeners"]
        return service["desiredCount"], len(listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"])

    assert seen(ecs, elbv2) == (1, 1)
    assert seen(world.ecs, world.elbv2) == (0, 2)
    aws.lag(0)
    assert seen(ecs, elbv2) == (0, 2)


def test_what_was_written_is_read_once_the_lag_is_over(aws):
    create(aws)
    ours = client()
    aws.lag(0.5)
    writing = time.time()
    ours.create_alias(FunctionName="orders", Name="live", FunctionVersion="$LATEST")
    while True:
        try:
            ours.get_alias(FunctionName="orders", Name="live")
            break
        except ClientError:
            assert time.time() < writing + 60
    assert time.time() - writing >= 0.5


_MAKES_CLUSTERS = """
import boto3
client = boto3.client("ecs")
for number in range(5):
    client.list_clusters()
    client.create_cluster(clusterName=f"c{number}")
    print(number, flush=True)
"""


@pytest.mark.parametrize(("before", "there", "known"), [(False, 3, ["0", "1"]), (True, 2, ["0", "1"])])
def test_a_client_is_killed_right_after_or_right_before_a_call(aws, before, there, known):
    process = subprocess.Popen(
        [sys.executable, "-c", "input()\n" + _MAKES_CLUSTERS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **aws.environ},
        text=True,
    )
    try:
        aws.kill_after(process.pid, 3, before=before)
        said, _ = process.communicate("go\n", timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert said.split() == known
    assert aws.killed() == [process.pid]
    assert len(aws.client("ecs").list_clusters()["clusterArns"]) == there
    assert len(aws.calls(mutating=True)) == there


@pytest.mark.parametrize("pid", [-1, 0, 1])
def test_no_test_can_have_many_processes_killed(aws, pid):
    with pytest.raises(AssertionError, match="cannot kill process"):
        aws.kill_after(pid, 1)


def test_reset_leaves_nothing_behind(aws):
    create(aws)
    aws.deny("lambda", "*")
    aws.reset()
    assert aws.calls(who="*") == []
    assert client().list_functions()["Functions"] == []


def test_calls_take_effect_in_the_order_in_which_they_are_recorded(aws):
    function = make_function(aws, "orders", "x = 1")
    client().create_alias(FunctionName="orders", Name="live", FunctionVersion=function)
    aws.forget()
    ready = threading.Barrier(4)

    def describe(text):
        ours = client()
        ready.wait()
        for number in range(5):
            ours.update_alias(FunctionName="orders", Name="live", Description=f"{text}{number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(describe, "abcd"))
    calls = aws.calls(mutating=True)
    assert [call.number for call in calls] == sorted(call.number for call in calls) and len(calls) == 20
    last = client().get_alias(FunctionName="orders", Name="live")["Description"]
    assert calls[-1].params["Description"] == last


def test_the_server_ends_with_the_process_that_started_it(tmp_path):
    starter = (
        "import sys, time; from pathlib import Path; from support.cloud import cloud\n"
        f"with cloud(Path({str(tmp_path)!r})) as made:\n    print(made.url, flush=True)\n    time.sleep(600)\n"
    )
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", starter], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": tests}, text=True
    )
    try:
        url = process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    for _ in range(500):
        try:
            boto3.client(
                "sts",
                "eu-west-1",
                endpoint_url=url,
                aws_access_key_id="a",
                aws_secret_access_key="b",
                config=Config(retries={"total_max_attempts": 1}),
            ).get_caller_identity()
        except BotoCoreError:  # nobody listens, or the connection broke in between
            break
        time.sleep(0.02)
    else:
        raise AssertionError("it still answers")


def test_two_clouds_know_nothing_of_each_other(aws, tmp_path):
    create(aws)
    with cloud(tmp_path) as other:
        assert other.url != aws.url
        assert other.client("lambda").list_functions()["Functions"] == []
