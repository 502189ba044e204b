"""What is examined: a deployment group, as far as AWS knows of it."""

from collections.abc import Mapping

from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.services import ServiceSettings
from runner.model.value import Value


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

    @classmethod
    def of(cls, application: str, settings: GroupSettings, *, bucket: str | None = None) -> "Subject":
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
        )

    @property
    def concerns_aws(self) -> bool:
        return self.platform != "Server" or bool(self.alarms)
