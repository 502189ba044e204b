"""One deployment of each kind, the calls that it makes, and the least that it could make.

How the least is counted: each effect once; before each effect one read of what it must not overwrite; each other
precondition one read, where the API tells several at once, one for all of them; after an effect that AWS takes time for,
one read that finds it done. What is waited for longer than one look needs more, however well one does.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from acceptance_site import Checkout
from support.cloud import Cloud
from support.ecs_world import CLUSTER, CONTAINER, IMAGE, PORT, SERVICE, TASK_DEFINITION, EcsWorld
from support.functions import greeting, make_function, publish

from benchmarks.aws_rig import Rig, make_bucket, rig, upload


class Case(NamedTuple):
    """*furnish*: makes what is there before, and the commit to deploy. *least*: operation to calls."""

    title: str
    furnish: Callable[[Rig], Checkout]
    least: Mapping[str, int]


class Counted(NamedTuple):
    """*rounds*: each deployment's calls by operation. *changing*: operations that change something."""

    title: str
    least: Mapping[str, int]
    rounds: list[Counter[str]]
    changing: set[str]

    @property
    def names(self) -> set[str]:
        return {name for each in self.rounds for name in each} | set(self.least)

    def made(self, names: Iterable[str]) -> str:
        """How many calls of *names*: `7`, or `7-9` where rounds differ."""
        wanted = set(names)
        sums = [sum(calls for name, calls in each.items() if name in wanted) for each in self.rounds]
        return f"{min(sums)}-{max(sums)}" if min(sums) < max(sums) else str(min(sums))


def count(folder: Path, aws: Cloud, case: Case, runs: int) -> Counted:
    """Deploy *case* so many times, each time to an empty cloud."""
    counted = Counted(case.title, case.least, [], set())
    for turn in range(runs):
        aws.reset()
        with rig(folder, f"{CASES.index(case)}-{turn}", aws) as made:
            checkout = case.furnish(made)
            aws.forget()
            (ended,) = made.deploy(checkout)
            assert ended.status == "Succeeded", ended
            calls = aws.calls()
        counted.rounds.append(Counter(call.name for call in calls))
        counted.changing.update(call.name for call in calls if call.mutating)
    return counted


_CANARY = """
rollouts:
  canary:
    steps:
      - shift: 10%
      - hold: {for: 1s}
      - shift: 100%
deployment_groups:
  live: {rollout: canary}
"""

_APPSPEC = "penstock: v1\napplication: orders\nplatform: Lambda\naws: {region: eu-west-1}\nappspec: appspec.json\n"

_FUNCTION = """\
penstock: v1
application: orders
platform: Lambda
aws: {region: eu-west-1}
revision:
  s3: {bucket: acme-functions, key: "{{ commit.id }}.zip", pin: version}
function: {name: orders, alias: live}
"""

_SERVICE = """\
penstock: v1
application: api
platform: ECS
aws: {region: eu-west-1}
revision:
  image: {repository: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/api, tag: "{{ commit.id }}", pin: digest}
"""

_BLUE_GREEN = """\
service:
  cluster: %(cluster)s
  name: %(service)s
  task_definition: task.json
  container: {name: %(container)s, port: %(port)s}
  routes:
    - {listener: "%(listener)s", test_listener: "%(test_listener)s", target_groups: [blue, green]}
rollouts:
  canary:
    steps:
      - scale: 100%%
      - shift: 10%%
      - hold: {for: 1s}
      - shift: 100%%
      - retire: {after: 1s}
deployment_groups:
  live: {rollout: canary}
"""

_ROLLING = """\
service:
  cluster: %(cluster)s
  name: %(service)s
  task_definition: task.json
  container: {name: %(container)s, port: %(port)s}
deployment_groups:
  live: {rollout: CodeDeployDefault.ECSAllAtOnce}
"""


def _appspec(rig: Rig) -> Checkout:
    make_function(rig.aws, "orders", greeting(1))
    publish(rig.aws, "orders", greeting(2))
    rig.aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    properties = {"Name": "orders", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    resource = {"orders": {"Type": "AWS::Lambda::Function", "Properties": properties}}
    appspec = json.dumps({"version": 0.0, "Resources": [resource]})
    return rig.checkout("orders", {"penstock.yaml": _APPSPEC + _CANARY, "appspec.json": appspec})


def _function(rig: Rig) -> Checkout:
    make_function(rig.aws, "orders", greeting(1))
    rig.aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    make_bucket(rig.aws)
    checkout = rig.checkout("orders", {"penstock.yaml": _FUNCTION + _CANARY})
    upload(rig.aws, f"{checkout.commit}.zip", greeting(2))
    return checkout


def _blue_green(rig: Rig) -> Checkout:
    return _service(rig, "EXTERNAL", _BLUE_GREEN)


def _rolling(rig: Rig) -> Checkout:
    return _service(rig, "ECS", _ROLLING)


def _service(rig: Rig, controller: str, manifest: str) -> Checkout:
    world = EcsWorld(rig.aws)
    world.serve(controller, desired=2)
    names = {"cluster": CLUSTER, "service": SERVICE, "container": CONTAINER, "port": PORT}
    text = manifest % {**names, "listener": world.listener, "test_listener": world.test_listener}
    checkout = rig.checkout("api", {"penstock.yaml": _SERVICE + text, "task.json": json.dumps(TASK_DEFINITION)})
    ecr = rig.aws.client("ecr")
    ecr.create_repository(repositoryName="api")
    ecr.put_image(repositoryName="api", imageTag=checkout.commit, imageManifest=json.dumps(IMAGE))
    return checkout


_LAMBDA = {"lambda:GetAlias": 1, "lambda:UpdateAlias": 2}  # one version alone; 10 % and 100 %

CASES = (
    Case(
        "Lambda, AppSpec, canary",
        _appspec,
        {**_LAMBDA, "lambda:GetFunctionConfiguration": 1},  # the version can be invoked
    ),
    Case(
        "Lambda, `function:`, canary",
        _function,
        {
            **_LAMBDA,
            "s3:HeadObject": 1,  # its version is pinned
            "lambda:ListVersionsByFunction": 1,  # this deployment has not published yet
            "lambda:UpdateFunctionCode": 1,
            "lambda:PublishVersion": 1,
            "lambda:GetFunctionConfiguration": 2,  # the code is in place; the version is active
        },
    ),
    Case(
        "ECS, blue/green, canary",
        _blue_green,
        {
            "ecr:DescribeImages": 1,  # its digest is pinned
            "ecs:DescribeServices": 6,  # at first; before and after the task set is made, and made primary; before the end
            "ecs:DescribeTaskDefinition": 1,  # this deployment has registered none yet
            "ecs:RegisterTaskDefinition": 1,
            "ecs:CreateTaskSet": 1,
            "ecs:UpdateServicePrimaryTaskSet": 1,
            "ecs:DeleteTaskSet": 1,
            "elbv2:DescribeTargetGroups": 2,  # at first; before the end
            "elbv2:DescribeListeners": 6,  # at first, before each change, before the end
            "elbv2:DescribeRules": 4,  # of two listeners, at first and before the end
            "elbv2:DescribeTargetHealth": 4,  # of the new tasks; for the test traffic, 10 % and 100 %
            "elbv2:ModifyListener": 4,  # no traffic yet, test traffic, 10 %, 100 %
        },
    ),
    Case(
        "ECS, rolling update",
        _rolling,
        {
            "ecr:DescribeImages": 1,
            "ecs:DescribeServices": 3,  # at first, before the update, after it
            "ecs:DescribeTaskDefinition": 1,
            "ecs:RegisterTaskDefinition": 1,
            "ecs:UpdateService": 1,
        },
    ),
)
