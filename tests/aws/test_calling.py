"""Calls to AWS: what is repeated and how long, within which budget, and as whom."""

import datetime as dt
import threading
from math import ceil
from random import Random

import pytest
from moto_server import environment, running_moto
from scripted_aws import SILENCE, answer, assumed, query_refusal, refusal, scripted_aws

from runner.aws import Aws, AwsError
from runner.aws.budget import Bucket
from runner.aws.clients import Clients
from runner.model.aws import AwsPlace, AwsSettings

HERE = AwsPlace(region="eu-west-1")
AS_DEPLOY = AwsPlace(region="eu-west-1", role="arn:aws:iam::111122223333:role/deploy")
THROTTLED = refusal(429, "TooManyRequestsException", "Rate exceeded")
BROKEN = refusal(503, "ServiceException", "come back later")


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.passed = 0.0

    def now(self):
        return self.passed

    def sleep(self, seconds):
        assert seconds > 0
        self.passed += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def script(monkeypatch):
    """Begin a scripted AWS, and send boto3 there."""
    with scripted_aws(answer({})) as aws:
        for name, value in aws.environ.items():
            monkeypatch.setenv(name, value)
        yield aws


def calling(time, **rates):
    return Aws(AwsSettings(requests_per_second=rates), sleep=time.sleep, now=time.now)


def fails(aws, operation, params, **limits):
    with pytest.raises(AwsError) as caught:
        aws.call(HERE, "lambda", operation, params, **limits)
    return caught.value


def test_a_real_call_is_answered_and_a_role_acts_in_its_own_account(monkeypatch):
    with running_moto() as endpoint:
        for name, value in environment(endpoint).items():
            monkeypatch.setenv(name, value)
        aws = Aws()
        assert aws.call(HERE, "lambda", "list_functions", {})["Functions"] == []
        assert aws.account(HERE) == "123456789012"
        assert aws.account(AS_DEPLOY) == "111122223333"


def test_all_pages_are_read(script, time):
    script.answers = [
        answer({"Functions": [{"FunctionName": "a"}], "NextMarker": "2"}),
        answer({"Functions": [{"FunctionName": "b"}]}),
    ]
    found = calling(time).pages(HERE, "lambda", "list_functions", {"MaxItems": 1}, "Functions")
    assert [each["FunctionName"] for each in found] == ["a", "b"]
    assert [each.path.partition("?")[2] for each in script.asked] == ["MaxItems=1", "MaxItems=1&Marker=2"]


def test_an_operation_without_pages_is_one_page(script, time):
    script.answers = [answer({"Concurrency": [1]})]
    params = {"FunctionName": "f"}
    assert calling(time).pages(HERE, "lambda", "get_function_concurrency", params, "Concurrency") == []
    assert len(script.asked) == 1


def test_a_body_is_read_whole(script, time):
    script.answers = [answer({"valid": True})]
    assert calling(time).call(HERE, "lambda", "invoke", {"FunctionName": "f"})["Payload"] == b'{"valid": true}'


def test_throttling_is_waited_out(script, time):
    script.answers = [THROTTLED, THROTTLED, answer({"Functions": []})]
    assert calling(time).call(HERE, "lambda", "list_functions", {})["Functions"] == []
    assert 1.5 <= time.passed <= 3.0


def test_throttling_is_waited_out_for_any_call_for_a_throttled_one_was_not_carried_out(script, time):
    script.answers = [THROTTLED, answer({})]
    calling(time).call(HERE, "lambda", "invoke", {"FunctionName": "f"})
    assert len(script.asked) == 2


def test_patience_ends_and_is_used_up_to_its_end(script, time):
    script.answers = [THROTTLED]
    error = fails(calling(time), "list_functions", {}, patience=20)
    assert (error.code, error.aws_code, error.operation, error.retryable) == (
        "THROTTLED",
        "TooManyRequestsException",
        "lambda:ListFunctions",
        True,
    )
    assert time.passed == pytest.approx(20)
    assert len(script.asked) < 12


def test_what_one_call_is_told_of_throttling_holds_back_the_others(time):
    bucket = Bucket(10, time.now)
    bucket.pause(3)
    assert [bucket.take(9), bucket.take(9)] == pytest.approx([3, 3 + 1 / 8.5])


@pytest.mark.parametrize("trouble", [BROKEN, SILENCE])
def test_a_call_that_does_no_harm_twice_is_sent_again(script, time, trouble):
    script.answers = [trouble, trouble, answer({"Functions": []})]
    calling(time).call(HERE, "lambda", "list_functions", {})
    assert len(script.asked) == 3


@pytest.mark.parametrize("trouble", [BROKEN, SILENCE])
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("invoke", {"FunctionName": "f"}),
        ("update_alias", {"FunctionName": "f", "Name": "live", "RevisionId": "1"}),
    ],
)
def test_a_call_that_may_have_been_carried_out_is_not_sent_again(script, time, trouble, operation, params):
    script.answers = [trouble, answer({})]
    error = fails(calling(time), operation, params)
    assert error.retryable
    assert error.code == ("TIMEOUT" if trouble is SILENCE else "INTERNAL_ERROR")
    assert len(script.asked) == 1


def test_an_answer_that_does_not_come_in_time_is_waited_for_no_longer(script, time):
    gate = threading.Event()
    script.take = lambda asked: gate.wait(20) and answer({})
    try:
        error = fails(calling(time), "invoke", {"FunctionName": "f"}, timeout=0.2)
    finally:
        gate.set()
    assert (error.code, error.aws_code, error.retryable) == ("TIMEOUT", "", True)


def test_a_refusal_is_raised_at_once(script, time):
    script.answers = [refusal(412, "PreconditionFailedException", "The RevisionId is another")]
    error = fails(calling(time), "update_alias", {"FunctionName": "f", "Name": "live", "RevisionId": "1"})
    assert (error.aws_code, error.retryable) == ("PreconditionFailedException", False)
    script.answers = [refusal(404, "ResourceNotFoundException", "Function not found")]
    error = fails(calling(time), "get_function", {"FunctionName": "f"})
    assert error.code == "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    assert "Function not found" in error.message
    assert time.passed == 0


def test_a_quota_of_things_is_not_throttling(script, time):
    script.answers = [refusal(400, "LimitExceededException", "too many")]
    error = fails(calling(time), "get_function", {"FunctionName": "f"})
    assert (error.code, time.passed) == ("RESOURCE_LIMIT_EXCEEDED", 0)


def test_bad_parameters_are_told_without_asking(script, time):
    error = fails(calling(time), "get_function", {"Function": "f"})
    assert 'Unknown parameter in input: "Function"' in error.message
    assert script.asked == []


def test_a_budget_spreads_calls_and_each_operation_can_have_its_own(script, time):
    aws = calling(time, **{"lambda": 4, "lambda:Invoke": 1000})
    for _ in range(10):
        aws.call(HERE, "lambda", "list_functions", {})
    assert time.passed == pytest.approx(2.25)  # a quarter of a second apart
    for _ in range(20):
        aws.call(HERE, "lambda", "invoke", {"FunctionName": "f"})
    aws.call(AwsPlace(region="us-east-1"), "lambda", "list_functions", {})
    assert time.passed == pytest.approx(2.25)


def test_a_turn_that_comes_too_late_is_not_waited_for(script, time):
    aws = calling(time, **{"lambda": 0.01})
    aws.call(HERE, "lambda", "list_functions", {})
    error = fails(aws, "list_functions", {}, patience=60)
    assert (error.code, error.retryable, time.passed) == ("THROTTLED", True, 0)
    assert "requests_per_second" in error.message


def test_many_at_once_keep_to_the_budget_together(time):
    bucket = Bucket(10, time.now)
    turns = []
    threads = [threading.Thread(target=lambda: turns.append(bucket.take(60))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([0.0] * 2 + [(each - 1.5) / 8.5 for each in range(2, 40)])


@pytest.mark.parametrize("rate", [0.5, 1, 2.5, 10, 60])
def test_no_second_sees_more_than_the_budget(time, rate):
    bucket, chance, turns = Bucket(rate, time.now), Random(1), []
    for _ in range(500):
        time.passed += chance.choice([0, 0, 0, 0.01, 5 / rate])
        turns.append(time.passed + bucket.take(10_000))
    for number, turn in enumerate(turns):
        within = [each for each in turns[number:] if each < turn + 0.999]
        assert len(within) <= max(1, ceil(rate))


def test_a_bucket_saves_up_a_few(time):
    bucket = Bucket(40, time.now)
    time.passed = 100.0
    assert [bucket.take(9) for _ in range(12)] == pytest.approx([0] * 4 + [each / 37 for each in range(1, 9)])


def test_clients_are_made_once_however_many_threads_ask(script):
    clients, made = Clients(), set()
    threads = [threading.Thread(target=lambda: made.add(clients.client(HERE, "sts", 5.0))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_credentials_of_a_role_are_renewed_before_they_expire(script, time):
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    script.sts = [assumed("FIRSTKEY", soon), assumed("SECONDKEY", later), query_refusal(403, "AccessDenied", "no more")]
    aws = calling(time)
    for _ in range(3):
        aws.call(AS_DEPLOY, "lambda", "list_functions", {})
    keys = [each.access_key for each in script.asked]
    assert keys == ["test-key", "FIRSTKEY", "test-key", "SECONDKEY", "SECONDKEY"]
    assert script.asked[0].form["RoleArn"] == ["arn:aws:iam::111122223333:role/deploy"]
    assert script.asked[0].form["RoleSessionName"] == ["penstock"]


def test_credentials_that_have_expired_are_looked_up_again_once(script, time, monkeypatch, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    aws = calling(time, **{"lambda": 100})
    aws.call(HERE, "lambda", "list_functions", {})
    expired = refusal(403, "ExpiredTokenException", "The security token included in the request is expired")
    script.answers = [expired, answer({"Functions": []})]
    file.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    aws.call(HERE, "lambda", "list_functions", {})
    assert [each.access_key for each in script.asked] == ["OLD", "OLD", "NEW"]
    script.answers = [expired]
    error = fails(aws, "list_functions", {})
    assert (error.code, error.retryable, time.passed) == ("IAM_ROLE_PERMISSIONS", True, 0)
    assert "have expired" in error.message


def test_no_region_no_credentials_and_no_aws_are_told_apart(script, monkeypatch, time):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwsError, match="no AWS region is set") as caught:
        calling(time).call(AwsPlace(), "lambda", "list_functions", {})
    assert not caught.value.retryable
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    error = fails(calling(time), "invoke", {"FunctionName": "f"}, patience=5)
    assert (error.code, error.retryable) == ("TIMEOUT", True)
    assert time.passed == pytest.approx(5)  # what was never sent is tried again, whatever it is
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = fails(calling(time), "list_functions", {})
    assert (error.code, error.retryable) == ("IAM_ROLE_MISSING", True)
    assert "AWS_ACCESS_KEY_ID" in error.message


def test_the_role_of_a_group_is_not_assumed_where_the_configuration_says_so(script, time):
    aws = Aws(AwsSettings(assume_service_roles=False), sleep=time.sleep, now=time.now)
    aws.call(AS_DEPLOY, "lambda", "list_functions", {})
    assert [(each.service, each.access_key) for each in script.asked] == [("lambda", "test-key")]


def test_many_calls_that_fail_by_the_same_credentials_look_them_up_once(script):
    clients = Clients()
    first = clients.client(HERE, "sts", 5.0)
    for _ in range(3):
        clients.forget(HERE, 0)
        assert clients.client(HERE, "sts", 5.0) is not first
    assert clients.generation(HERE) == 1
