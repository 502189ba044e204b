"""The names of resources across an account: made and read.

Source: service authorization reference, "Resource types defined by AWS CodeDeploy".
"""

import re
from typing import Literal, TypeAlias

from runner.errors import Refused
from runner.model.aws import AwsPlace
from runner.model.value import Value

Kind: TypeAlias = Literal["application", "deploymentgroup", "deploymentconfig"]

_ARN = re.compile(r"arn:aws[a-z-]*:codedeploy:(?P<region>[^:]*):(?P<account>[^:]*):(?P<kind>[^:/]+)[:/](?P<name>.+)")
_EC2 = re.compile("i-[0-9a-f]{8,17}")
_TAGGED: dict[str, Kind] = {
    "application": "application",
    "deploymentgroup": "deploymentgroup",
    "deploymentconfig": "deploymentconfig",
}


class Resource(Value, frozen=True, kw_only=True):
    """What an ARN names. *name*: of the application or configuration; *group*: of a deployment group."""

    kind: Kind
    name: str
    group: str = ""


class Arns:
    """The ARNs of one *region* and *account* (12 digits)."""

    def __init__(self, region: str, account: str) -> None:
        self.region, self._account = region, account
        self._prefix = f"arn:aws:codedeploy:{region}:{account}"

    def application(self, name: str) -> str:
        return f"{self._prefix}:application:{name}"

    def group(self, application: str, name: str) -> str:
        return f"{self._prefix}:deploymentgroup:{application}/{name}"

    def config(self, name: str) -> str:
        return f"{self._prefix}:deploymentconfig:{name}"

    def deployment(self, deployment_id: str) -> str:
        return f"{self._prefix}:deployment:{deployment_id}"

    def instance(self, name: str) -> str:
        return f"{self._prefix}:instance/{name}"

    def target(self, name: str, place: AwsPlace) -> str:
        """Of a host that is deployed to: of the instance in EC2 whose ID is its name, else as of one on premises."""
        return f"{self._of('ec2', place)}:instance/{name}" if _EC2.fullmatch(name) else self.instance(name)

    def function(self, name: str, place: AwsPlace) -> str:
        """Of a Lambda function in *place*, which may be named by its ARN."""
        return name if name.startswith("arn:") else f"{self._of('lambda', place)}:function:{name}"

    def service(self, cluster: str, name: str, place: AwsPlace) -> str:
        """Of an ECS service in *place*; either may be named by its ARN."""
        if name.startswith("arn:"):
            return name
        return f"{self._of('ecs', place)}:service/{cluster.rpartition('/')[2]}/{name}"

    def _of(self, service: str, place: AwsPlace) -> str:
        """The partition and account are those of the role that is assumed there, else the API's own."""
        _, partition, _, _, account, *_ = (place.role or f"arn:aws:iam::{self._account}:role").split(":")
        return f"arn:{partition}:{service}:{place.region or self.region}:{account}"

    def parse(self, arn: str) -> Resource:
        """The resource that *arn* names, be it there or not.

        Raises `Refused`: InvalidArn (malformed, of another region or account), ArnNotSupported (nothing that has tags).
        """
        if not (found := _ARN.fullmatch(arn)):
            raise Refused("InvalidArnException", f"this is no ARN of CodeDeploy: {arn!r}")
        if (found["region"], found["account"]) != (self.region, self._account):
            raise Refused("InvalidArnException", f"{arn} is not of this account; ARNs here begin with {self._prefix}")
        kind, name = _TAGGED.get(found["kind"]), found["name"]
        application, _, group = name.partition("/")
        if kind is None:
            raise Refused("ArnNotSupportedException", f"{found['kind']}s have no tags here; {', '.join(_TAGGED)} have")
        if (kind == "deploymentgroup") != bool(application and group):
            raise Refused("InvalidArnException", f"{arn} is incomplete: deployment groups are named APPLICATION/GROUP")
        return Resource(kind=kind, name=application if group else name, group=group)
