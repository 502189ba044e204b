"""What is examined: a deployment group, as far as AWS knows of it."""

from collections.abc import Mapping

from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck
from runner.model.fleets import Live
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.services import ServiceSettings
from runner.model.traffic import LoadBalancing
from runner.model.value import Value
from runner.plan.fleets import sides


class EcrRepository(Value, frozen=True, kw_only=True):
    """Where the image of a service is pinned; the runner asks there with its own credentials, in that *region*."""

    account: str
    region: str
    name: str


class Instances(Value, frozen=True, kw_only=True):
    """What a group of servers has in AWS.

    *auto_scaling_groups*: of its fleets, which take turns, by name; of the one that has the traffic by now, whatever a
    manifest names. *suspends*: processes of them are suspended meanwhile. *copies*: a deployment copies the Auto Scaling
    group. *terminates*: it ends the original.
    """

    auto_scaling_groups: tuple[str, ...] = ()
    target_groups: tuple[str, ...] = ()
    classic: tuple[str, ...] = ()
    suspends: bool = False
    copies: bool = False
    terminates: bool = False

    @classmethod
    def of(cls, settings: GroupSettings, live: Live | None = None) -> "Instances | None":
        """None where it has nothing there. *live*: the fleet that has the traffic, where it is another one by now."""
        original, replacement = sides(settings, live)
        fleets = [fleet for fleet in (original, replacement) if fleet is not None]
        balancing = settings.load_balancer or LoadBalancing()
        terminates = settings.green is not None and settings.blue_green.termination_wait is not None
        concerned = any(fleet.ec2 for fleet in fleets) or balancing.is_in_aws or terminates
        if settings.platform != "Server" or not concerned:
            return None
        return cls(
            auto_scaling_groups=tuple(dict.fromkeys(name for each in fleets for name in each.ec2.auto_scaling_groups)),
            target_groups=balancing.target_groups,
            classic=balancing.classic,
            suspends=bool(original.ec2.suspended) and settings.green is None,
            copies=settings.green is not None and settings.green.copy,
            terminates=terminates,
        )


class Subject(Value, frozen=True, kw_only=True):
    """*function*, *alias*: None where they are not known before there is an AppSpec. *hooks*: names or ARNs of functions.

    *publishes*: deployments publish a version from an object in *bucket* (None: not known).
    """

    application: str
    group: str
    platform: ComputePlatform
    place: AwsPlace
    function: str | None = None
    alias: str | None = None
    publishes: bool = False
    bucket: str | None = None
    service: ServiceSettings | None = None
    hooks: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    instances: Instances | None = None
    image: EcrRepository | None = None

    @classmethod
    def of(
        cls,
        application: str,
        settings: GroupSettings,
        *,
        bucket: str | None = None,
        live: Live | None = None,
        image: EcrRepository | None = None,
    ) -> "Subject":
        function, service = settings.function, settings.service
        hooks: Mapping[str, str] = function.hooks if function else service.hooks if service else {}
        checked = [check.name for check in settings.checks.values() if isinstance(check, AlarmCheck)]
        return cls(
            application=application,
            group=settings.name,
            platform=settings.platform,
            place=settings.place,
            function=function.name if function else None,
            alias=function.alias if function else None,
            publishes=function is not None,
            bucket=bucket,
            service=service,
            hooks=tuple(dict.fromkeys(hooks.values())),
            alarms=tuple(dict.fromkeys([*(settings.alarms.names if settings.alarms else ()), *checked])),
            instances=Instances.of(settings, live),
            image=image,
        )

    @property
    def concerns_aws(self) -> bool:
        return self.platform != "Server" or bool(self.alarms) or self.instances is not None
