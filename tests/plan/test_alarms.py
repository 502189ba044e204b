"""What the states of alarms mean for a deployment."""

import pytest

from runner.model.checks import AlarmCheck, Alarms, AlarmState, Reading
from runner.plan.alarms import alarm_failure, check_failure

TWO = Alarms(names=("errors", "latency"))
CAREFREE = Alarms(names=("errors", "latency"), ignore_poll_failure=True)
UNKNOWN = Reading(failure="cloudwatch:DescribeAlarms was not answered")


def reading(**states):
    return Reading(states={name: AlarmState(name=name, state=state, reason="5 of 5") for name, state in states.items()})


def test_alarms_that_are_ok_or_lack_data_let_a_deployment_go_on():
    assert alarm_failure(TWO, reading(errors="OK", latency="INSUFFICIENT_DATA", other="ALARM")) is None


@pytest.mark.parametrize("alarms", [TWO, CAREFREE])
def test_one_alarm_stops_it_and_is_named_with_its_reason(alarms):
    error = alarm_failure(alarms, reading(errors="OK", latency="ALARM"))
    assert error.code == "ALARM_ACTIVE"
    assert error.message == "the alarm latency is in state ALARM: 5 of 5"


def test_a_poll_that_failed_stops_it_unless_that_is_ignored():
    error = alarm_failure(TWO, UNKNOWN)
    assert error.code == "ALARM_ACTIVE"
    assert "errors, latency" in error.message
    assert "was not answered" in error.message
    assert alarm_failure(CAREFREE, UNKNOWN) is None


def test_an_alarm_that_does_not_exist_is_a_poll_that_failed_and_named():
    error = alarm_failure(TWO, reading(errors="OK"))
    assert "the alarm latency cannot be read" in error.message
    assert alarm_failure(CAREFREE, reading(errors="OK")) is None


def test_everything_that_is_wrong_is_told_at_once():
    error = alarm_failure(TWO, reading(errors="ALARM"))
    assert "errors is in state ALARM" in error.message
    assert "the alarm latency cannot be read" in error.message


def test_a_check_of_an_alarm_passes_only_when_its_state_is_known_and_no_alarm():
    check = AlarmCheck(name="errors")
    assert check_failure(check, reading(errors="OK")) is None
    assert check_failure(check, reading(errors="INSUFFICIENT_DATA")) is None
    assert "in state ALARM" in check_failure(check, reading(errors="ALARM"))
    assert "cannot be read" in check_failure(check, reading())
    assert "was not answered" in check_failure(check, UNKNOWN)
