"""What moto 5.2.5 bends or lacks of CloudWatch's alarms, and what the cloud of the tests does instead."""

import datetime as dt

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

ALARM = {
    "AlarmName": "errors",
    "Namespace": "Shop",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture
def gap(plain):
    return plain.client("cloudwatch")


@pytest.fixture
def right(aws):
    return aws.client("cloudwatch")


def make(client, **settings):
    client.put_metric_alarm(**{**ALARM, **settings})


def state(client, name="errors"):
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm["StateValue"]


def put(client, value, minutes_ago=0, **datum):
    at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes_ago)
    client.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "Errors", "Value": value, "Timestamp": at, **datum}]
    )


def test_moto_says_ok_of_a_new_alarm(gap):
    make(gap)
    assert state(gap) == "OK"


def test_a_new_alarm_has_no_data(right):
    make(right)
    assert state(right) == "INSUFFICIENT_DATA"


def test_a_state_that_was_set_stays(right):
    make(right)
    for wanted in "ALARM", "OK", "INSUFFICIENT_DATA", "ALARM":
        right.set_alarm_state(AlarmName="errors", StateValue=wanted, StateReason="a test")
        assert [state(right) for _ in range(3)] == [wanted] * 3


def test_moto_forgets_the_state_of_an_alarm_that_is_changed(gap):
    make(gap)
    gap.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    make(gap, Threshold=6.0)
    assert state(gap) == "OK"


def test_an_alarm_that_is_changed_keeps_its_state(right):
    make(right)
    right.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    make(right, Threshold=6.0)
    (alarm,) = right.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"], alarm["Threshold"]) == ("ALARM", "a test", 6.0)


def test_moto_evaluates_no_data(gap):
    make(gap)
    put(gap, 100)
    assert state(gap) == "OK"


def test_data_beyond_the_threshold_raises_the_alarm_and_data_below_it_ends_it(right):
    make(right)
    put(right, 3, minutes_ago=2)
    assert state(right) == "OK"
    put(right, 3, minutes_ago=2)  # together six, in one period
    assert state(right) == "ALARM"
    put(right, 5)
    assert state(right) == "OK"


def test_an_alarm_counts_the_periods_that_it_was_told_to(right):
    make(right, EvaluationPeriods=3, DatapointsToAlarm=2)
    for minutes_ago, value, expected in (8, 9, "OK"), (6, 1, "OK"), (4, 9, "ALARM"), (2, 1, "OK"):
        put(right, value, minutes_ago=minutes_ago)
        assert state(right) == expected


def test_an_alarm_watches_its_own_dimensions(right):
    make(right, Dimensions=[{"Name": "FunctionName", "Value": "orders"}])
    put(right, 100)
    put(right, 100, Dimensions=[{"Name": "FunctionName", "Value": "invoices"}])
    assert state(right) == "INSUFFICIENT_DATA"
    put(right, 100, Dimensions=[{"Name": "FunctionName", "Value": "orders"}])
    assert state(right) == "ALARM"


def test_unknown_alarms_are_left_out(right):
    make(right)
    found = right.describe_alarms(AlarmNames=["errors", "none"])
    assert [alarm["AlarmName"] for alarm in found["MetricAlarms"]] == ["errors"]


def test_moto_takes_more_names_than_aws_does(gap):
    assert gap.describe_alarms(AlarmNames=[f"a{number}" for number in range(101)])["MetricAlarms"] == []


def test_a_hundred_alarms_are_described_at_once_and_not_more(right):
    right.describe_alarms(AlarmNames=[f"a{number}" for number in range(100)])
    with pytest.raises(ClientError, match="less than or equal to 100"):
        right.describe_alarms(AlarmNames=[f"a{number}" for number in range(101)])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("put_composite_alarm", {"AlarmName": "all", "AlarmRule": "ALARM(errors)"}),
        ("describe_alarm_history", {"AlarmName": "errors"}),
    ],
)
def test_moto_has_no_composite_alarms_and_no_history(gap, method, arguments):
    """Neither has the cloud of the tests."""
    make(gap)
    with pytest.raises((ClientError, ResponseParserError)):
        getattr(gap, method)(**arguments)


def test_moto_fires_no_action(plain):
    """Neither does the cloud of the tests: who watches alarms here, asks for their state."""
    topic = plain.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = plain.client("sqs").create_queue(QueueName="alarms")["QueueUrl"]
    arn = plain.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    plain.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    client = plain.client("cloudwatch")
    make(client, AlarmActions=[topic])
    client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    assert "Messages" not in plain.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=0)
