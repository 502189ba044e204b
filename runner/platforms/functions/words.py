"""Names of things in messages, and the commands that mend them."""

from runner.model.aws import AwsPlace


def name_of(function: str) -> str:
    """A function's own name, of a name or an ARN."""
    return function.rsplit(":function:", 1)[-1] if function.startswith("arn:") else function


def where(place: AwsPlace, function: str, alias: str) -> str:
    return f"alias {alias} of function {name_of(function)} ({place})"


def reset(place: AwsPlace, function: str, alias: str, version: str = "VERSION") -> str:
    """The command that gives an alias one version and nothing else."""
    return f"`{command(place, 'update-alias', function)} --name {alias} --function-version {version}" + (
        " --routing-config AdditionalVersionWeights={}`"
    )


def command(place: AwsPlace, verb: str, function: str) -> str:
    region = f" --region {place.region}" if place.region else ""
    return f"aws lambda {verb}{region} --function-name {function}"
