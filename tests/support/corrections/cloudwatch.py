"""CloudWatch: a new alarm knows nothing yet, a changed one keeps its state, and data moves the alarms that watch it.

Evaluated are alarms on one metric with a fixed threshold, whenever data arrives: the newest `EvaluationPeriods`
periods that have data, against `DatapointsToAlarm`. No action is fired. Metric maths, anomaly detection, percentiles,
missing data and composite alarms are not evaluated: `set_alarm_state` sets what a test needs, and it stays.
Facts: CloudWatch's API reference, PutMetricAlarm and DescribeAlarms; user guide, "Evaluating an alarm".
"""

import operator
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from moto.cloudwatch import models, responses
from moto.cloudwatch.exceptions import ValidationError

_NAMES_AT_ONCE = 100
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": lambda values: float(len(values)),
}


def apply() -> None:
    backend, response = models.CloudWatchBackend, responses.CloudWatchResponse
    plain_put, plain_data = backend.put_metric_alarm, backend.put_metric_data
    plain_describe = response.describe_alarms

    def put_metric_alarm(self: Any, name: str, **settings: Any) -> models.Alarm:
        before = self.alarms.get(name)
        made = plain_put(self, name=name, **settings)
        _keep_state(before, made)
        return made

    def put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        plain_data(self, namespace, metric_data)
        for alarm in self.alarms.values():
            if alarm.namespace == namespace and any(each["MetricName"] == alarm.metric_name for each in metric_data):
                _evaluate(alarm, self.metric_data)

    def describe_alarms(self: Any) -> Any:
        names = self._get_param("AlarmNames", [])
        if len(names) > _NAMES_AT_ONCE:
            raise ValidationError(
                f"1 validation error detected: Value '{names}' at 'alarmNames' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_NAMES_AT_ONCE}"
            )
        return plain_describe(self)

    backend.put_metric_alarm, backend.put_metric_data = put_metric_alarm, put_metric_data
    response.describe_alarms = describe_alarms


def _keep_state(before: models.Alarm | None, made: models.Alarm) -> None:
    if before is None:
        made.state_value = "INSUFFICIENT_DATA"
        return
    for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
        setattr(made, name, getattr(before, name))


def _evaluate(alarm: models.Alarm, data: list[Any]) -> None:
    breaches, statistic = _BREACHES.get(alarm.comparison_operator), _STATISTICS.get(alarm.statistic)
    if breaches is None or statistic is None:
        return
    periods: defaultdict[int, list[float]] = defaultdict(list)
    for each in data:
        if _is_watched(alarm, each):
            periods[int(each.timestamp.timestamp() // int(alarm.period))].append(each.value)
    newest = sorted(periods)[-int(alarm.evaluation_periods) :]
    if not newest:
        return
    breaching = sum(breaches(statistic(periods[each]), float(alarm.threshold)) for each in newest)
    state = "ALARM" if breaching >= int(alarm.datapoints_to_alarm or alarm.evaluation_periods) else "OK"
    if state != alarm.state_value:
        alarm.update_state(f"Threshold Crossed: {breaching} of the last {len(newest)} datapoints", "{}", state)


def _is_watched(alarm: models.Alarm, datum: Any) -> bool:
    return (
        isinstance(datum, models.MetricDatum)
        and (datum.namespace, datum.name) == (alarm.namespace, alarm.metric_name)
        and {(each.name, each.value) for each in datum.dimensions}
        == {(each.name, each.value) for each in alarm.dimensions}
    )
