import datetime as dt
from typing import Any

from runner.model.host_command import AgentContact, AgentTimeouts, HostCommand
from runner.plan.patience import overdue, span

T0 = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
TIMEOUTS = AgentTimeouts()


def minutes(number: float) -> dt.timedelta:
    return dt.timedelta(minutes=number)


def end(
    after: float, *, heard: float | None = None, serving: float = -60, version: str = "", **of_command: Any
) -> str | None:
    """What ends a command that was queued at T0, so many minutes later: "Skipped" or a code, and words."""
    command = HostCommand(deployment_id="d-1", host="web-1", event="Install", attempt=1, queued_at=T0, **of_command)
    contact = None if heard is None else AgentContact(host="web-1", at=T0 + minutes(heard), version=version)
    outcome = overdue(command, contact, T0 + minutes(serving), TIMEOUTS, T0 + minutes(after))
    if outcome is None:
        return None
    assert not outcome.succeeded
    return f"{outcome.diagnostics.error_code if outcome.began else 'Skipped'}: {outcome.diagnostics.message}"


def test_a_host_that_never_had_an_agent_has_five_minutes() -> None:
    assert end(4.9) is None
    assert (end(5) or "").startswith(
        "Skipped: No agent of web-1 has ever asked for its commands, also not in the last 5 min"
    )


def test_an_agent_that_was_silent_for_three_minutes_is_gone_at_once() -> None:
    assert end(0, heard=-2.9) is None
    assert end(0, heard=-3) == (
        "Skipped: The agent of web-1 was last heard of at 2026-01-01 11:57:00 UTC, 3 min ago. See on the host whether it "
        "runs and reaches this server: `systemctl status codedeploy-agent`."
    )
    assert "penstock-agent" in (end(0, heard=-3, version="penstock/1.0") or "")


def test_after_a_restart_of_the_server_agents_get_time_to_come_back() -> None:
    assert end(30, heard=-1, serving=28) is None
    assert end(31, heard=-1, serving=28) is not None
    assert end(60, serving=58) is None
    assert end(61, serving=58) is not None


def test_a_restart_of_the_server_does_not_begin_the_time_anew() -> None:
    assert end(4.9, serving=0) is None
    assert end(5, serving=1) is not None


def test_an_agent_that_polls_and_never_acknowledges_has_five_minutes() -> None:
    said = end(5, heard=4.9, handed_out=3, handed_out_at=T0)
    assert said == (
        "Skipped: The agent of web-1 was given Install 3 times and never acknowledged it within 5 min; its log on the host "
        "says why."
    )


def test_an_event_has_an_hour_from_its_acknowledgement() -> None:
    taken = {"status": "InProgress", "handed_out": 1, "acknowledged": 1, "acknowledged_at": T0 + minutes(2)}
    assert end(61.9, heard=61, **taken) is None
    assert (end(62, heard=61, **taken) or "").startswith(
        "ScriptTimedOut: Install on web-1 has not ended within 1 h; it may"
    )


def test_an_agent_that_dies_in_an_event_fails_it() -> None:
    taken = {"status": "InProgress", "handed_out": 1, "acknowledged": 1, "acknowledged_at": T0}
    assert (end(4, heard=1, **taken) or "").startswith("UnknownError: The agent of web-1 was last heard of")


def test_spans_read_well() -> None:
    times = [0, 45, 119, 120, 300, 3600, 5400, 7260]
    assert [span(dt.timedelta(seconds=each)) for each in times] == [
        "0 s", "45 s", "119 s", "2 min", "5 min", "1 h", "1 h 30 min", "2 h 1 min",
    ]  # fmt: skip
