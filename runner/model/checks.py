"""What tells a rollout that something is wrong: alarms, and checks of a manifest's own."""

from typing import Literal, TypeAlias

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


class AlarmState(Value, frozen=True, kw_only=True):
    """An alarm as CloudWatch has it. *reason*: CloudWatch's own words for its state."""

    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str = ""


class Reading(Value, frozen=True, kw_only=True):
    """What asking for alarms brought: those that exist, by name; or a *failure*, why nobody could say."""

    states: dict[str, AlarmState] = {}
    failure: str = ""
