"""The runner killed with -9 right after each single call to AWS that changes something: a function's rollout, with hooks.

The manifest's form: a version is published from S3, two functions validate it and call back over HTTP, traffic moves in
three steps. Whenever the kill comes, the restarted runner ends as one that was never interrupted.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from acceptance_site import Checkout, until_ended
from serving import serving
from support.cloud import Call, Cloud
from support.functions import HOOK, archive, greeting, make_function

MANIFEST = """\
penstock: v1
application: orders
platform: Lambda
aws: {region: eu-west-1}
revision:
  s3: {bucket: acme-functions, key: "orders/{{ commit.id }}.zip", pin: version}
function:
  name: orders
  alias: live
  hooks: {BeforeAllowTraffic: validate-before, AfterAllowTraffic: validate-after}
rollouts:
  ramp:
    steps:
      - shift: 10%
      - hold: {for: 1s}
      - shift: {by: 45%, every: 1s}
deployment_groups:
  live: {rollout: ramp}
"""

MUTATIONS = 7  # update the code, publish, invoke, three moves of the alias, invoke


class Orders:
    """The function, its hooks, and a commit that deploys version 2."""

    def __init__(self, aws: Cloud, folder: Path, manifest: str = MANIFEST) -> None:
        self.aws = aws
        make_function(aws, "orders", greeting(1))
        self.functions = aws.client("lambda")
        self.functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="acme-functions", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="acme-functions", VersioningConfiguration={"Status": "Enabled"})
        self.checkout = Checkout(folder / "orders", {"penstock.yaml": manifest})
        s3.put_object(Bucket="acme-functions", Key=f"orders/{self.checkout.commit}.zip", Body=archive(greeting(2)))

    def hooks(self, url: str, key: dict[str, str]) -> None:
        variables = {
            "PENSTOCK_URL": url,
            "PENSTOCK_KEY": key["AWS_ACCESS_KEY_ID"],
            "PENSTOCK_SECRET": key["AWS_SECRET_ACCESS_KEY"],
        }
        for name in ("validate-before", "validate-after"):
            make_function(self.aws, name, HOOK, variables=variables)

    def left(self) -> dict[str, Any]:
        """What the deployment has made of the cloud."""
        alias = self.functions.get_alias(FunctionName="orders", Name="live")
        versions = self.functions.list_versions_by_function(FunctionName="orders")["Versions"]
        return {
            "serves": alias["FunctionVersion"],
            "routing": alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            "versions": [each["Version"] for each in versions],
        }


def effects(calls: list[Call]) -> list[str]:
    """What each call did, in order. One that is repeated and says the same changes nothing, but for an invocation."""
    done = [_effect(call) for call in calls if call.carried_out and call.status < 400]
    return [each for index, each in enumerate(done) if each.startswith("invoke") or each not in done[:index][-1:]]


def _effect(call: Call) -> str:
    match call.operation:
        case "UpdateFunctionCode":
            return "code"
        case "PublishVersion":
            return "version"
        case "UpdateAlias":
            weights = call.params.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            return f"alias {call.params['FunctionVersion']} {json.dumps(weights)}"
        case "Invoke":
            return f"invoke {call.params['FunctionName']}"
    return call.name


WHOLE = [
    "code",
    "version",
    "invoke validate-before",
    'alias 1 {"2": 0.1}',
    'alias 1 {"2": 0.55}',
    "alias 2 {}",
    "invoke validate-after",
]


@pytest.mark.parametrize(
    "kill_after", range(MUTATIONS + 1), ids=lambda number: f"after-{number}" if number else "never"
)
def test_a_rollout_that_is_killed_after_any_call_ends_as_one_that_is_not(
    aws: Cloud, tmp_path: Path, kill_after: int
) -> None:
    orders = Orders(aws, tmp_path)
    config = tmp_path / "penstock.toml"
    config.write_text("")
    with serving(config, tmp_path / "state", aws.environ) as server:
        orders.hooks(server.url, server.key("deployer"))
        aws.forget()
        if kill_after:
            aws.kill_after(server.pid, kill_after)
        (made,) = orders.checkout.deploy(config, tmp_path / "state", aws.environ)
        deployment = until_ended(server, made, killed=lambda: bool(aws.killed()) if kill_after else False)
    assert deployment["status"] == "Succeeded", deployment
    done = effects(aws.calls(mutating=True))
    assert done == WHOLE, done
    assert orders.left() == {"serves": "2", "routing": {}, "versions": ["$LATEST", "1", "2"]}
    assert len(aws.killed()) == (1 if kill_after else 0)


WITHOUT_HOOKS = [each for each in WHOLE if not each.startswith("invoke")]


@pytest.mark.parametrize("kill_after", range(9, 26, 4))
def test_with_state_in_s3_a_run_that_is_lost_leaves_an_alias_that_the_next_knows_as_its_own(
    aws: Cloud, tmp_path: Path, kill_after: int
) -> None:
    """What is written into the state changes something, too: so the kills meet both, before and after each other."""
    hooks = "  hooks: {BeforeAllowTraffic: validate-before, AfterAllowTraffic: validate-after}\n"
    orders = Orders(aws, tmp_path, MANIFEST.replace(hooks, ""))
    aws.client("s3").create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    config = tmp_path / "penstock.toml"
    config.write_text(f'[repositories.orders]\nurl = "{orders.checkout.folder}"\n')
    aws.forget()
    command = [sys.executable, "-m", "runner", "--config", str(config), "--state", "s3://state/orders", "sync"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **aws.environ}) as lost:
        aws.kill_after(lost.pid, kill_after)
        assert lost.wait(90) == -signal.SIGKILL
    aws.client("s3").delete_object(Bucket="state", Key="orders/lease")  # as if a minute had passed
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **aws.environ}, capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr.decode()
    assert effects(aws.calls(mutating=True, service="lambda")) == WITHOUT_HOOKS
    assert orders.left() == {"serves": "2", "routing": {}, "versions": ["$LATEST", "1", "2"]}
