"""`penstock keys create|list|revoke|enrol`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from runner.model.identity import AccessKey
    from runner.ports.identity import IssuedKey
    from runner.wiring import Runner

DESCRIPTION = """\
Access keys for the wire API (`penstock serve`), by role: `reader` looks, `deployer` also deploys and stops, `admin` may
do everything, `host` is for the agent of one host. `keys enrol HOST` makes a token instead, which the agent on that host
exchanges for its key, once. A secret is shown when its key is made, and never again."""
EXAMPLE = """\
penstock keys create --role deployer --description "CI of the shop"
penstock keys list
penstock keys revoke PKABCDEFGHIJKLMNOPQR
penstock keys enrol web-1 --expires 30m"""

_ROLES = ("reader", "deployer", "admin", "host")
_NAME = "[A-Za-z0-9._+=,@-]{1,100}"
_LONGEST_DESCRIPTION = 256


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("create", "list", "revoke", "enrol"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="revoke: the key's ID; enrol: the host")
    parser.add_argument("--role", choices=_ROLES, help="create: what the key is for")
    parser.add_argument("--host", metavar="NAME", help="create, with --role host: the host whose agent uses the key")
    parser.add_argument("--description", metavar="TEXT", help="create: who has it, for the list")
    parser.add_argument("--expires", metavar="DURATION", help="enrol: how long the token may be used (default: 1h)")
    parser.add_argument(
        "--server", metavar="URL", help="enrol: this server as the host reaches it, for the command shown"
    )


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.invitation import invite
    from runner.cli.session import check_folder, opened

    _check(arguments)
    check_folder(arguments, "keys")  # they are for `serve`
    action = {"create": _create, "list": _list, "revoke": _revoke, "enrol": invite}[arguments.action]
    with opened(arguments) as runner:
        action(arguments, runner)
    return exits.FINE


def _check(arguments: argparse.Namespace) -> None:
    """Raises `UserError` for options that belong to another action, or are missing."""
    import re

    from runner.errors import UserError

    takes = {"create": ("role", "host", "description"), "enrol": ("name", "expires", "server"), "revoke": ("name",)}
    for option in ("name", "role", "host", "description", "expires", "server"):
        given = getattr(arguments, option) is not None
        if given and option not in takes.get(arguments.action, ()):
            what = repr(arguments.name) if option == "name" else f"--{option}"
            raise UserError(f"`penstock keys {arguments.action}` takes no {what}; see penstock keys --help")
    match arguments.action:
        case "create" if arguments.role is None:
            raise UserError(f"say what the key is for: penstock keys create --role {'|'.join(_ROLES)}")
        case "create" if arguments.role == "host" and not arguments.host:
            raise UserError("name the host that the key is for: penstock keys create --role host --host NAME")
        case "create" if arguments.role != "host" and arguments.host is not None:
            raise UserError(f"--host belongs to --role host; a key of the role {arguments.role} is for all hosts")
        case "create" if arguments.host is not None and not re.fullmatch(_NAME, arguments.host):
            raise UserError("the name of a host has 1 to 100 of A-Z a-z 0-9 . _ + = , @ -")
        case "create" if len(arguments.description or "") > _LONGEST_DESCRIPTION:
            raise UserError(f"a description may have {_LONGEST_DESCRIPTION} characters")
        case "revoke" if not arguments.name:
            raise UserError("name the key: penstock keys revoke ID; `penstock keys list` shows them")
        case "enrol" if not arguments.name:
            raise UserError("name the host: penstock keys enrol HOST; `penstock hosts` lists them")


def _create(arguments: argparse.Namespace, runner: "Runner") -> None:
    from runner.cli.invitation import why_no_agent
    from runner.cli.session import note
    from runner.wiring import now

    if arguments.host is not None and (problem := why_no_agent(arguments.host, runner)):
        note(problem + " (the key works; nothing is deployed there by an agent until then)")
    issued = runner.store.keys.create(arguments.role, arguments.host, arguments.description or "", now())
    _show(arguments, issued)


def _show(arguments: argparse.Namespace, issued: "IssuedKey") -> None:
    import json
    import sys

    principal, secret = issued.principal, issued.secret.reveal()
    if arguments.output == "json":
        shown = {"access_key_id": principal.access_key_id, "secret_access_key": secret, "role": principal.role}
        print(json.dumps(shown | ({"host": principal.host} if principal.host else {})))
        return
    print(f"access key ID      {principal.access_key_id}")
    print(f"secret access key  {secret}")
    print("\nThe secret is shown this once. Keep it like a password.", file=sys.stderr)


def _list(arguments: argparse.Namespace, runner: "Runner") -> None:
    keys = runner.store.keys.all()
    if arguments.output == "json":
        from runner.model.value import to_json

        print(to_json(keys))
    elif keys:
        from runner.cli.screen import console, table

        head = ("ID", "ROLE", "HOST", "CREATED", "LAST USED", "STATE", "DESCRIPTION")
        table(console(), head, [_row(key) for key in keys])
    else:
        print("there are no access keys; `penstock keys create --role ROLE` makes one")


def _row(key: "AccessKey") -> tuple[str, ...]:
    state = "active" if key.revoked_at is None else f"revoked {_day(key.revoked_at)}"
    used = "never" if key.last_used_at is None else _day(key.last_used_at)
    return key.id, key.role, key.host or "", _day(key.created_at), used, state, key.description


def _day(at: "dt.datetime") -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _revoke(arguments: argparse.Namespace, runner: "Runner") -> None:
    from runner.model.value import to_json
    from runner.wiring import now

    key = runner.store.keys.revoke(arguments.name, now())
    if arguments.output == "json":
        print(to_json(key))
    else:
        whose = f"{key.role} {key.host}" if key.host else key.role
        print(f"{key.id} ({whose}) is revoked: nothing that it signs is accepted any more")
