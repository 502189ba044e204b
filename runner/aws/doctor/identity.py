"""Who asks, and where."""

from typing import NamedTuple

from runner.aws import Aws, AwsError
from runner.aws.permissions import principal
from runner.model.aws import AwsPlace

HASTE = {"patience": 5.0, "timeout": 10.0}  # seconds: somebody is looking at the screen


class Identity(NamedTuple):
    """*arn*: of the session or user. *policies_of*: of the role or user whose policies count."""

    arn: str
    account: str
    partition: str
    region: str
    policies_of: str

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")

    def of(self, service: str, resource: str) -> str:
        """The ARN of a *resource* here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def identify(aws: Aws, place: AwsPlace) -> Identity:
    """Raises `AwsError` when there are no credentials, the role cannot be assumed, or the region is not there."""
    region = aws.region(place)
    said = aws.call(place, "sts", "get_caller_identity", {}, **HASTE)
    arn = str(said["Arn"])
    return Identity(
        arn=arn,
        account=str(said["Account"]),
        partition=arn.split(":")[1],
        region=region,
        policies_of=aws.acting(place).role or _policies_of(aws, place, arn),
    )


def _policies_of(aws: Aws, place: AwsPlace, arn: str) -> str:
    """A session's name lacks the path of its role; IAM knows it."""
    named = principal(arn)
    if named == arn:
        return arn
    try:
        return str(aws.call(place, "iam", "get_role", {"RoleName": named.rpartition("/")[2]}, **HASTE)["Role"]["Arn"])
    except AwsError:
        return named
