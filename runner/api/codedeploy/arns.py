"""The names of resources across an account: made and read.

Source: service authorization reference, "Resource types defined by AWS CodeDeploy".
"""

import re
from typing import Literal, TypeAlias

from runner.errors import Refused
from runner.model.value import Value

Kind: TypeAlias = Literal["application", "deploymentgroup", "deploymentconfig"]

_ARN = re.compile(r"arn:aws[a-z-]*:codedeploy:(?P<region>[^:]*):(?P<account>[^:]*):(?P<kind>[^:/]+)[:/](?P<name>.+)")
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
        self._region, self._account = region, account
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

    def parse(self, arn: str) -> Resource:
        """The resource that *arn* names, be it there or not.

        Raises `Refused`: InvalidArn (malformed, of another region or account), ArnNotSupported (nothing that has tags).
        """
        if not (found := _ARN.fullmatch(arn)):
            raise Refused("InvalidArnException", f"this is no ARN of CodeDeploy: {arn!r}")
        if (found["region"], found["account"]) != (self._region, self._account):
            raise Refused("InvalidArnException", f"{arn} is not of this account; ARNs here begin with {self._prefix}")
        kind, name = _TAGGED.get(found["kind"]), found["name"]
        application, _, group = name.partition("/")
        if kind is None:
            raise Refused("ArnNotSupportedException", f"{found['kind']}s have no tags here; {', '.join(_TAGGED)} have")
        if (kind == "deploymentgroup") != bool(application and group):
            raise Refused("InvalidArnException", f"{arn} is incomplete: deployment groups are named APPLICATION/GROUP")
        return Resource(kind=kind, name=application if group else name, group=group)
