"""What a repository says, rendered and checked: one application, its deployment groups, and how carefully to go."""

import datetime as dt
from typing import Any, Literal, TypeAlias

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms, Check
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Green
from runner.model.functions import FunctionSettings
from runner.model.platform import ComputePlatform
from runner.model.revision import Location
from runner.model.rollout import Rollout
from runner.model.services import ServiceSettings
from runner.model.tags import TagSet
from runner.model.traffic import LoadBalancing
from runner.model.value import Value

RollbackEvent: TypeAlias = Literal["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]

TriggerEvent: TypeAlias = Literal[
    "DeploymentStart",
    "DeploymentSuccess",
    "DeploymentFailure",
    "DeploymentStop",
    "DeploymentRollback",
    "DeploymentReady",
    "InstanceStart",
    "InstanceSuccess",
    "InstanceFailure",
    "InstanceReady",
]


class Watch(Value, frozen=True, kw_only=True):
    """Which changes concern the application. Patterns are globs; *paths* None: everything below the application's root."""

    branch: str | None = None
    tag: str | None = None
    paths: tuple[str, ...] | None = None


class After(Value, frozen=True, kw_only=True):
    """Deploy only once *group* has the very same revision, and has had it for *bake*."""

    group: str
    bake: dt.timedelta = dt.timedelta(0)


class Trigger(Value, frozen=True, kw_only=True):
    """A notification: *to* is `sns:<topic ARN>` or `webhook:<name of a notifier in the runner's configuration>`.

    *name*: the wire API's triggers have one.
    """

    to: str
    on: tuple[TriggerEvent, ...]
    name: str = ""


class BlueGreen(Value, frozen=True, kw_only=True):
    """The waits of a deployment that replaces. *ready_wait* None: traffic moves at once; else it waits that long for
    somebody to continue, and stops when nobody does. *termination_wait* None: the original is kept.

    Source: CodeDeploy API reference, "BlueGreenDeploymentConfiguration".
    """

    ready_wait: dt.timedelta | None = None
    termination_wait: dt.timedelta | None = dt.timedelta(0)


class GroupSettings(Value, frozen=True, kw_only=True):
    """One deployment group, as a manifest (everything inherited already applied) or the wire API has it.

    A host is a target when it has, for every key of *tags*, one of the values, and matches *tag_set*; where both are
    empty none is. So are the instances of *ec2*. *termination_hook*: what runs on instances that Auto Scaling ends is
    stopped before. *declared*: what the wire API was told, in the shape of its
    DeploymentGroupInfo; a manifest's is empty.
    """

    name: str
    tags: dict[str, tuple[str, ...]] = {}
    tag_set: TagSet = ()
    ec2: Ec2Targets = Ec2Targets()
    termination_hook: bool = False
    rollout: Rollout
    after: After | None = None
    rollback_on: tuple[RollbackEvent, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    load_balancer: LoadBalancing | None = None  # None: there are no traffic events
    platform: ComputePlatform = "Server"
    place: AwsPlace = AwsPlace()
    function: FunctionSettings | None = None  # Lambda, of a manifest
    service: ServiceSettings | None = None  # ECS
    blue_green: BlueGreen = BlueGreen()
    green: Green | None = None  # None: servers are deployed to in place
    alarms: Alarms | None = None  # None: there are none, or they are not enabled
    checks: dict[str, Check] = {}  # those that its rollout names
    declared: dict[str, Any] = {}


class Manifest(Value, frozen=True, kw_only=True):
    """One `penstock.yaml`, rendered for one commit. *root* is its folder, "" at the top; *file* its path in the repository.

    *revision*: None when the commit's own tree is deployed. *groups* stand in an order in which every `after` looks back.
    *signed*: its commits must be.
    """

    application: str
    platform: ComputePlatform
    file: str
    root: str
    watch: Watch
    revision: Location | None
    appspec: str  # path inside what is deployed; nobody reads it where `function` or `service` says it all
    groups: tuple[GroupSettings, ...]
    signed: bool = False
