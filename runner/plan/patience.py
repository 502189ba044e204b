"""How long an agent is waited for. Pure: told what is recorded of a command, it says whether that is over."""

import datetime as dt

from runner.model.command import Outcome
from runner.model.host_command import AgentContact, AgentTimeouts, HostCommand
from runner.model.target import Diagnostics


def overdue(
    command: HostCommand,
    contact: AgentContact | None,
    serving_since: dt.datetime,
    timeouts: AgentTimeouts,
    now: dt.datetime,
) -> Outcome | None:
    """How *command* ends because its agent has taken too long; None while it has time.

    A server that was away (*serving_since*) gives agents time to come back. Source: user guide, "Lifecycle event timeouts".
    """
    if contact is not None and _over(contact.at, timeouts.heartbeat, serving_since, timeouts, now):
        return _failed(command, _silent(command, contact, now))
    if command.acknowledged_at is None:
        if _over(command.queued_at, timeouts.start, serving_since, timeouts, now):
            return _failed(command, _not_taken_up(command, contact, timeouts.start))
    elif _over(command.acknowledged_at, timeouts.event, serving_since, timeouts, now):
        return _failed(command, _endless(command, timeouts.event), code_of_script=True)
    return None


def withdrawn(command: HostCommand) -> Outcome:
    """How *command* ends when its deployment is stopped before an agent has taken it up: nothing has begun."""
    return _failed(command, f"The deployment was stopped before the agent of {command.host} took up {command.event}.")


def _over(
    since: dt.datetime, limit: dt.timedelta, serving_since: dt.datetime, timeouts: AgentTimeouts, now: dt.datetime
) -> bool:
    """Whether *limit* is over, and the server has been there long enough for an agent to come back."""
    return max(since + limit, serving_since + min(limit, timeouts.heartbeat)) <= now


def _failed(command: HostCommand, message: str, *, code_of_script: bool = False) -> Outcome:
    began = command.acknowledged_at is not None
    code = "ScriptTimedOut" if code_of_script else "UnknownError"
    diagnostics = Diagnostics(error_code=code, message=message)  # type: ignore[arg-type]
    return Outcome(succeeded=False, diagnostics=diagnostics, began=began)


def _silent(command: HostCommand, contact: AgentContact, now: dt.datetime) -> str:
    heard = f"{contact.at:%Y-%m-%d %H:%M:%S} UTC, {span(now - contact.at)} ago"
    service = "penstock-agent" if contact.is_ours else "codedeploy-agent"
    return (
        f"The agent of {command.host} was last heard of at {heard}. See on the host whether it runs and reaches this "
        f"server: `systemctl status {service}`."
    )


def _not_taken_up(command: HostCommand, contact: AgentContact | None, start: dt.timedelta) -> str:
    if contact is None:
        return (
            f"No agent of {command.host} has ever asked for its commands, also not in the last {span(start)}. Enrol one: "
            f"`penstock keys enrol {command.host}` says how."
        )
    if command.handed_out:
        return (
            f"The agent of {command.host} was given {command.event} {command.handed_out} times and never acknowledged "
            f"it within {span(start)}; its log on the host says why."
        )
    return f"The agent of {command.host} did not take {command.event} within {span(start)}, though it is there."


def _endless(command: HostCommand, event: dt.timedelta) -> str:
    return (
        f"{command.event} on {command.host} has not ended within {span(event)}; it may still run. A longer limit: "
        "event_timeout under [agents] in penstock.toml."
    )


def span(time: dt.timedelta) -> str:
    """`45 s`, `5 min`, `1 h 30 min`."""
    seconds = round(time.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{minutes} min"] if minutes or not hours else [])])
