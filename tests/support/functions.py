"""Lambda functions for tests: made from a few lines of Python, and they really run.

make_function(aws, "orders", greeting(1))                   # "1", the version; the alias is the test's affair
publish(aws, "orders", greeting(2))                         # "2"
aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
shares(aws, "orders", "live", 200)                          # Counter({"1": 200})
"""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from support.cloud import Cloud
from support.invocations import Invocations

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

HOOK = '''
import json
import os
import time

import boto3


def handler(event, context):
    """Calls back as its event demands it; prints what it was given."""
    print("the hook was called with " + json.dumps(event, sort_keys=True))
    time.sleep(float(os.environ.get("PAUSE", "0")))
    status = os.environ.get("STATUS", "Succeeded")
    if status:
        client = boto3.client(
            "codedeploy",
            endpoint_url=os.environ["PENSTOCK_URL"],
            region_name=os.environ.get("PENSTOCK_REGION", os.environ["AWS_REGION"]),
            aws_access_key_id=os.environ["PENSTOCK_KEY"],
            aws_secret_access_key=os.environ["PENSTOCK_SECRET"],
        )
        client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
    if os.environ.get("RAISES"):
        raise RuntimeError(os.environ["RAISES"])
    return status
'''
"""A hook function that calls back with boto3. Its variables: PENSTOCK_URL, PENSTOCK_KEY, PENSTOCK_SECRET, PENSTOCK_REGION;
STATUS (empty: it never calls back), PAUSE (seconds before it does), RAISES (the text with which it fails afterwards)."""


def greeting(version: object) -> str:
    """Source of a function that answers with *version*; `{"error": ...}` makes it fail, `{"sleep": ...}` wait."""
    return f"""
import time


def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if "error" in event:
        raise ValueError(event["error"])
    return {{"version": {str(version)!r}, "function_version": context.function_version}}
"""


def archive(source: str, name: str = "app.py") -> bytes:
    """A zip file with *source* in it; the same source gives the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), source)
    return made.getvalue()


def role(aws: Cloud, name: str = "functions") -> str:
    """The ARN of a role that functions may have."""
    iam = aws.client("iam")
    try:
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
        made = iam.get_role(RoleName=name)
    return str(made["Role"]["Arn"])


def make_function(
    aws: Cloud, name: str, source: str, *, variables: Mapping[str, str] | None = None, timeout: int = 30
) -> str:
    """A function whose handler is `handler` of *source*. Returns the number of its first version."""
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role(aws),
        Handler="app.handler",
        Code={"ZipFile": archive(source)},
        Timeout=timeout,
        Environment={"Variables": dict(variables or {})},
        Publish=True,
    )
    return str(made["Version"])


def publish(aws: Cloud, name: str, source: str) -> str:
    """New code for the function. Returns the number of the version that has it, once it can be invoked."""
    client = aws.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=archive(source))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    version = str(client.publish_version(FunctionName=name)["Version"])
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    return version


def invoke(aws: Cloud, name: str, qualifier: str, event: Any = None) -> dict[str, Any]:
    """The answer with its payload read: `answer["Payload"]` is JSON's value."""
    answer = aws.client("lambda").invoke(FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event or {}))
    return {**answer, "Payload": json.loads(answer["Payload"].read())}


def shares(aws: Cloud, name: str, qualifier: str, calls: int) -> Counter[str]:
    """How often each version was executed in so many invocations; none may fail."""
    with Invocations(aws, name, qualifier) as load:
        load.wait_for(calls)
    assert not load.failures, load.failures[:3]
    return Counter(load.versions[:calls])
