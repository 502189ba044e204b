"""What a deployment of one group would do, before it happens."""

import datetime as dt

from runner.model.manifest import GroupSettings
from runner.model.program import Program, TargetSpec
from runner.model.revision import Revision
from runner.model.target import InstanceHealth
from runner.model.value import Value
from runner.plan.batches import RolloutPlan


class Forecast(Value, frozen=True, kw_only=True, omit_defaults=False):
    """What a deployment of one group would do: its hosts in deployment order, and the compiled rollout.

    *events*: that run on each host, in order. *traffic_wait*: how long the load balancers may keep one host waiting.
    *replaced*: names of the hosts that these take the traffic from. Hosts that are yet to be made have the names of those.
    """

    application: str
    settings: GroupSettings
    revision: Revision
    current: Revision | None
    hosts: tuple[InstanceHealth, ...]
    plan: RolloutPlan
    events: tuple[str, ...]
    traffic_wait: dt.timedelta
    replaced: tuple[str, ...] = ()


class TrafficForecast(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The same of a Lambda function or an ECS service. Nobody has looked at it: *program* is that of a service whose
    deployment controller is not ECS itself."""

    application: str
    settings: GroupSettings
    revision: Revision
    current: Revision | None
    spec: TargetSpec
    program: Program
