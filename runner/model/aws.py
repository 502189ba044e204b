"""Where in AWS a deployment group lives, and as whom it is worked on."""

from runner.model.value import Value


class AwsPlace(Value, frozen=True, kw_only=True):
    """*region*: None for the one that boto3's own chain finds. *role*: ARN of the role to assume; None for none."""

    region: str | None = None
    role: str | None = None

    def __str__(self) -> str:
        region = self.region or "the default region"
        return f"{region} as {self.role}" if self.role else region
