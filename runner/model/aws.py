"""Where in AWS a deployment group lives, as whom it is worked on, and how hard AWS may be asked."""

import datetime as dt

from runner.model.value import Value

REQUESTS_PER_SECOND: dict[str, float] = {
    "autoscaling": 10,
    "cloudwatch": 5,
    "ec2": 20,
    "ecr": 10,
    "ecs": 20,
    "elb": 10,
    "elbv2": 10,
    "iam": 10,
    "lambda": 10,
    "lambda:Invoke": 100,
    "sts": 20,
}
"""What stays well below the quotas of an account that has asked for nothing more. Source: "Lambda quotas" (15 requests a
second to all management calls), "Request throttling" of ECS, ELB and EC2, "CloudWatch service quotas" (9 DescribeAlarms)."""


class AwsSettings(Value, frozen=True, kw_only=True):
    """The configuration's `[aws]`. Credentials, region and endpoints are boto3's own affair.

    *requests_per_second*: service, or `service:Operation` for one that has a budget of its own, to requests a second of
    one region and role; what is not named has its value of `REQUESTS_PER_SECOND`. *assume_service_roles*: act as the role
    that a deployment group names; false: with the runner's own credentials. *alarm_interval*: between two looks at alarms.
    """

    requests_per_second: dict[str, float] = {}
    assume_service_roles: bool = True
    alarm_interval: dt.timedelta = dt.timedelta(seconds=10)


class AwsPlace(Value, frozen=True, kw_only=True):
    """*region*: None for the one that boto3's own chain finds. *role*: ARN of the role to assume; None for none."""

    region: str | None = None
    role: str | None = None

    def __str__(self) -> str:
        region = self.region or "the default region"
        return f"{region} as {self.role}" if self.role else region
