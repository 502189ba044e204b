"""CloudWatch alarms of a cloud of `support.cloud`."""

from support.cloud import Cloud
from support.keys import REGION


def make_alarm(aws: Cloud, name: str, region: str = REGION) -> None:
    """The alarm *name*, on errors of Lambda functions. Its state is what a test sets."""
    aws.client("cloudwatch", region).put_metric_alarm(
        AlarmName=name,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
