"""What tells a rollout that something is wrong: alarms, and checks of a manifest's own."""

from typing import TypeAlias

from runner.model.value import Value


class Alarms(Value, frozen=True, kw_only=True):
    """The alarms of a whole deployment, enabled. *ignore_poll_failure*: go on when their state cannot be asked for.

    Source: CodeDeploy API reference, "AlarmConfiguration".
    """

    names: tuple[str, ...]
    ignore_poll_failure: bool = False


class AlarmCheck(Value, frozen=True, kw_only=True, tag="cloudwatch_alarm"):
    """Fails while the CloudWatch alarm *name* is in state ALARM."""

    name: str


class HttpCheck(Value, frozen=True, kw_only=True, tag="http"):
    """Fails unless a GET of *url* is answered with the status *expect* within *timeout* seconds."""

    url: str
    expect: int = 200
    timeout: int = 10


Check: TypeAlias = AlarmCheck | HttpCheck
