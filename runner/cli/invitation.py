"""`penstock keys enrol`: a token for the agent of one host, and the command to run there."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from runner.wiring import Runner


def invite(arguments: argparse.Namespace, runner: "Runner") -> None:
    """Make the token, and show the command that uses it. Raises `UserError`: that host cannot have an agent."""
    import json

    from runner.errors import UserError
    from runner.model.duration import format_duration
    from runner.wiring import now

    if problem := why_no_agent(arguments.name, runner):
        raise UserError(problem)
    expires_in, at = _expiry(arguments.expires or "1h"), now()
    token = runner.store.keys.invite(arguments.name, runner.signing_fingerprint(), expires_in, at)
    expires_at = at + expires_in
    if arguments.output == "json":
        print(json.dumps({"host": arguments.name, "token": token, "expires_at": expires_at.isoformat()}))
        return
    within, until = format_duration(expires_in), f"{expires_at.astimezone():%Y-%m-%d %H:%M}"
    print(f"On {arguments.name}, as root, once, within {within} (until {until}):\n")
    print(f"  python3 penstock-agent.pyz enrol --server {arguments.server or _server(runner)} --token {token}\n")
    print("`penstock agent build penstock-agent.pyz` makes that file.")


def _expiry(text: str) -> "dt.timedelta":
    import datetime as dt

    from runner.errors import UserError
    from runner.model.duration import parse_duration

    expires_in = parse_duration(text)
    if not dt.timedelta(0) < expires_in <= dt.timedelta(days=30):
        raise UserError("--expires wants a duration of at most 30d, such as 30m or 8h")
    return expires_in


def _server(runner: "Runner") -> str:
    """Where the configuration says that this server listens; hosts may know it by another name (--server)."""
    name, _, port = (runner.config.listen or "").rpartition(":")
    if not port or port == "0" or name.strip("[]") in ("", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"):
        return f"https://THIS-SERVER:{port if port not in ('', '0') else '8300'}"
    return f"https://{name}:{port}"


def why_no_agent(host: str, runner: "Runner") -> str | None:
    """Why *host* cannot have an agent; None if it can. Whether an EC2 instance is there is not asked: it may come yet."""
    import re

    from runner.schema import nearest

    hosts = {each.name: each for each in runner.hosts()}
    if host in hosts and hosts[host].transport == "agent":
        return None
    if host in hosts:
        return f'{host} is reached by {hosts[host].transport}; an agent wants transport = "agent" in [hosts.{host}]'
    if re.fullmatch("i-[0-9a-f]{8,17}", host):
        if runner.config.instances.transport == "agent":
            return None
        return f'EC2 instances are reached by ssh; an agent on {host} wants transport = "agent" under [instances]'
    if near := nearest(host, [name for name, each in hosts.items() if each.transport == "agent"]):
        return f"no host {host} is known; did you mean {near}?"
    return (
        f'no host {host} is known; add [hosts.{host}] with transport = "agent" to the configuration, or register it: '
        f"aws deploy register-on-premises-instance --instance-name {host} ..."
    )
