"""Functions in the cloud of the tests really run, and an alias' weights really split their traffic."""

import base64
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.functions import HOOK, greeting, invoke, make_function, publish, shares
from support.invocations import Invocations


@pytest.fixture
def orders(aws):
    """The function with two versions, of which the alias `live` points to the first."""
    make_function(aws, "orders", greeting(1))
    publish(aws, "orders", greeting(2))
    aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    return aws.client("lambda")


def run(aws, source, event=None, **settings):
    """Makes a function of *source* and invokes it. Returns its error, its payload and the end of its log."""
    make_function(aws, "f", source, **settings)
    answer = aws.client("lambda").invoke(FunctionName="f", Payload=json.dumps(event or {}), LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    return answer.get("FunctionError"), json.loads(answer["Payload"].read()), log


def test_each_version_runs_its_own_code(aws, orders):
    for version in "1", "2":
        answer = invoke(aws, "orders", version)
        assert answer["Payload"] == {"version": version, "function_version": version}
        assert answer["ExecutedVersion"] == version
    assert invoke(aws, "orders", "$LATEST")["Payload"] == {"version": "2", "function_version": "$LATEST"}
    assert invoke(aws, "orders", "live")["ExecutedVersion"] == "1"
    by_arn = orders.invoke(FunctionName="arn:aws:lambda:eu-west-1:111122223333:function:orders:2")
    assert by_arn["ExecutedVersion"] == "2"


def test_the_weights_of_an_alias_split_its_traffic(aws, orders):
    assert shares(aws, "orders", "live", 20) == {"1": 20}
    orders.update_alias(FunctionName="orders", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}})
    found = shares(aws, "orders", "live", 300)
    assert found.total() == 300 and set(found) == {"1", "2"}
    assert 60 <= found["2"] <= 120  # five standard deviations and more; and the lots are the same in every run
    orders.update_alias(
        FunctionName="orders", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert shares(aws, "orders", "live", 20) == {"2": 20}


def test_a_shift_under_load_loses_no_invocation_and_is_seen_at_once(aws, orders):
    def shift(weight):
        orders.update_alias(
            FunctionName="orders", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": weight}}
        )

    with Invocations(aws, "orders", "live") as load:
        load.wait_for(20)
        assert load.share("1", last=20) == 1
        shift(0.5)
        load.wait_for(10)  # those that were under way
        load.wait_for(200)
        assert 0.3 < load.share("2", last=200) < 0.7
        shift(1.0)
        load.wait_for(10)
        load.wait_for(20)
        assert load.share("2", last=20) == 1
    assert load.failures == []


def test_an_error_of_the_function_is_told_as_aws_does(aws):
    error, payload, log = run(aws, greeting(1), {"error": "no stock"})
    assert error == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no stock")
    assert "[ERROR] ValueError: no stock" in log


def test_a_function_that_cannot_be_imported_is_told(aws):
    error, payload, _ = run(aws, "import nothing_of_the_kind")
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")


def test_a_function_whose_process_ends_is_told_and_the_next_event_finds_a_new_one(aws):
    source = (
        "import os\n\n\ndef handler(event, context):\n    os._exit(3) if event.get('exit') else None\n    return 'here'"
    )
    error, payload, _ = run(aws, source, {"exit": True})
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert payload["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert invoke(aws, "f", "1")["Payload"] == "here"


def test_a_function_is_ended_when_its_time_is_over(aws):
    error, payload, _ = run(aws, greeting(1), {"sleep": 600}, timeout=1)
    assert error == "Unhandled" and payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert invoke(aws, "f", "1")["Payload"]["version"] == "1"


def test_the_log_of_an_invocation_is_its_own(aws):
    source = "def handler(event, context):\n    print('says', event['what'])\n"
    make_function(aws, "f", source)
    for what in "one", "two":
        answer = aws.client("lambda").invoke(FunctionName="f", Payload=json.dumps({"what": what}), LogType="Tail")
        lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
        assert lines[0].startswith("START RequestId: ") and lines[0].endswith(" Version: $LATEST")
        assert lines[1] == f"says {what}" and lines[2].startswith("END ") and lines[3].startswith("REPORT ")
    quiet = aws.client("lambda").invoke(FunctionName="f", Payload=b'{"what": "three"}')
    assert "LogResult" not in quiet


def test_a_function_sees_its_variables_and_the_cloud(aws):
    source = """
import os

import boto3


def handler(event, context):
    return [os.environ["COLOUR"], os.environ["AWS_REGION"], len(boto3.client("lambda").list_functions()["Functions"])]
"""
    assert run(aws, source, variables={"COLOUR": "blue"})[1] == ["blue", "eu-west-1", 1]
    assert [call.name for call in aws.calls(who="function")] == ["lambda:ListFunctions"]


def test_an_event_is_answered_before_the_function_has_run(aws):
    source = """
import boto3


def handler(event, context):
    boto3.client("ecs").create_cluster(clusterName="made-by-" + event["by"])
"""
    make_function(aws, "f", source)
    with aws.hold("ecs", "CreateCluster"):  # holds nothing: functions are not the client under test
        answer = aws.client("lambda").invoke(FunctionName="f", InvocationType="Event", Payload=b'{"by": "f"}')
    assert answer["StatusCode"] == 202 and answer["Payload"].read() == b""
    found = []
    for _ in range(1000):
        found = aws.client("ecs").list_clusters()["clusterArns"]
        if found:
            break
        threading.Event().wait(0.02)
    assert found[0].endswith(":cluster/made-by-f")


def test_a_dry_run_runs_nothing(aws):
    make_function(aws, "f", "import nothing_of_the_kind")
    assert aws.client("lambda").invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204


def test_events_at_once_run_beside_each_other(aws):
    """Two events that wait for each other: one process after the other would never end."""
    source = """
import time

import boto3


def handler(event, context):
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=event["me"])
    while not any(arn.endswith("/" + event["other"]) for arn in ecs.list_clusters()["clusterArns"]):
        time.sleep(0.02)
    return event["me"]
"""
    make_function(aws, "f", source, timeout=60)
    answers = {}

    def call(me, other):
        answers[me] = invoke(aws, "f", "1", {"me": me, "other": other})["Payload"]

    threads = [threading.Thread(target=call, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=90)
    assert answers == {"a": "a", "b": "b"}


class _Listener(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.headers["X-Amz-Target"], json.loads(body), self.headers["Authorization"]))
        answer = json.dumps({"lifecycleEventHookExecutionId": "e-1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def listener():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Listener) as server:
        server.heard = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_hook_calls_back_with_boto3(aws, listener):
    variables = {
        "PENSTOCK_URL": f"http://127.0.0.1:{listener.server_port}",
        "PENSTOCK_KEY": "PKHOOK",
        "PENSTOCK_SECRET": "secret",
        "STATUS": "Failed",
    }
    event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
    error, answer, log = run(aws, HOOK, event, variables=variables)
    assert (error, answer) == (None, "Failed")
    assert 'the hook was called with {"DeploymentId": "d-1"' in log
    ((target, asked, authorization),) = listener.heard
    assert target == "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
    assert asked == {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": "Failed"}
    assert "Credential=PKHOOK/" in authorization


def test_no_function_outlives_a_reset(aws):
    source = "import os\n\n\ndef handler(event, context):\n    return os.getpid()\n"
    pid = run(aws, source)[1]
    aws.reset()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
