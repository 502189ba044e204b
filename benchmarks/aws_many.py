"""Many Lambda deployments at once: how often AWS is asked, counted where the calls arrive.

One commit publishes a version of each function and moves each function's alias to it in two steps. Each deployment has an
alarm of its own.
"""

from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import NamedTuple

from acceptance_site import Checkout
from support.alarms import make_alarm
from support.cloud import Call, Cloud
from support.functions import archive, greeting, role

from benchmarks.aws_rig import Ended, Rig, make_bucket, rig, upload

ALARMS_EVERY = 5  # seconds, `alarm_interval`
_ALARMS_AT_ONCE = 100  # names in one DescribeAlarms
_THREADS = 4

_MANIFEST = """\
penstock: v1
application: orders
platform: Lambda
aws: {region: eu-west-1}
revision:
  s3: {bucket: acme-functions, key: "{{ commit.id }}.zip", pin: version}
function: {name: "{{ group }}", alias: live}
checks:
  errors: {cloudwatch_alarm: "{{ group }}-errors"}
rollouts:
  canary:
    steps:
      - shift: 10%
      - hold: {for: 1s}
      - shift: 100%
deployment_groups:
"""


class Run(NamedTuple):
    """*budget*: requests a second to Lambda, as configured. *quota*: what the cloud lets through; None: everything."""

    budget: int
    quota: int | None


RUNS = (Run(60, None), Run(120, 60))
"""Within the cloud's quota, and twice as much. moto does some 140 calls a second on two quiet cores."""


class Measured(NamedTuple):
    """What one run came to. Times in seconds; *ended*: every deployment."""

    run: Run
    ended: list[Ended]
    calls: list[Call]

    @property
    def to_lambda(self) -> list[Call]:
        return [call for call in self.calls if call.service == "lambda"]

    @property
    def carried_out(self) -> list[Call]:
        return [call for call in self.to_lambda if call.carried_out]

    @property
    def least_looks(self) -> int:
        """DescribeAlarms that one look at every interval takes."""
        return ceil(self.took / ALARMS_EVERY) * ceil(len(self.ended) / _ALARMS_AT_ONCE)

    @property
    def looks_at_alarms(self) -> list[Call]:
        return [call for call in self.calls if call.operation == "DescribeAlarms"]

    @property
    def succeeded(self) -> int:
        return sum(each.status == "Succeeded" for each in self.ended)

    @property
    def took(self) -> float:
        return max(each.completed_at for each in self.ended) - min(each.created_at for each in self.ended)

    @property
    def longest(self) -> float:
        return max(each.completed_at - each.created_at for each in self.ended)

    @property
    def least(self) -> float:
        """Seconds that the calls would take at the permitted rate, the first second's worth of them at once."""
        rate = min(self.run.budget, self.run.quota or self.run.budget)
        return len(self.carried_out) / rate - 1

    def busiest_second(self, after: float = 0.0) -> int:
        """The most calls to Lambda in any second, wherever it begins, from *after* seconds after the first call on."""
        times = sorted(call.at for call in self.to_lambda)
        times = [at for at in times if at >= times[0] + after]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - 1:
                first += 1
            most = max(most, last - first + 1)
        return most


def measure(folder: Path, aws: Cloud, count: int) -> list[Measured]:
    """Each of `RUNS` with *count* deployments, one after the other on the same functions."""
    names = [f"orders-{number:03}" for number in range(1, count + 1)]
    _furnish(aws, names)
    found = []
    for number, run in enumerate(RUNS):
        config = f'[aws]\nalarm_interval = "{ALARMS_EVERY}s"\nrequests_per_second = {{lambda = {run.budget}}}\n'
        with rig(folder, f"many-{number}", aws, config) as made:
            groups = "".join(f"  {name}: {{rollout: canary, checks: [errors]}}\n" for name in names)
            checkout = made.checkout("orders", {"penstock.yaml": _MANIFEST + groups})
            upload(aws, f"{checkout.commit}.zip", greeting(number + 2))
            found.append(_measured(made, run, checkout))
    return found


def _measured(made: Rig, run: Run, checkout: Checkout) -> Measured:
    if run.quota is not None:
        made.aws.limit("lambda", run.quota)
    made.aws.forget()
    ended = made.deploy(checkout)
    calls = made.aws.calls()
    made.aws.mend()
    return Measured(run, ended, calls)


def _furnish(aws: Cloud, names: list[str]) -> None:
    """Functions with one version, which the alias has; an alarm for each, which is silent; the bucket."""
    arn, client = role(aws), aws.client("lambda")
    given = {"Runtime": "python3.11", "Role": arn, "Handler": "app.handler", "Code": {"ZipFile": archive(greeting(1))}}

    def make(name: str) -> None:
        client.create_function(FunctionName=name, Publish=True, **given)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    make_bucket(aws)
    for name in names:
        make_alarm(aws, f"{name}-errors")
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(make, names))
