"""`penstock hosts` and `penstock hosts trust`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from runner.model.host_command import AgentContact
    from runner.model.target import Host, HostKey

DESCRIPTION = """\
Lists the configured hosts. `hosts trust NAME` shows the SSH key of a host, and of the machines on the way to it, asks
whether it is the right one, and writes it into known_hosts. A key that has changed is never replaced by it."""
EXAMPLE = """\
penstock hosts
penstock hosts trust web-1
penstock hosts trust web-1 --fingerprint SHA256:7Tzd6OPUcyMSVrdpYFaXLLtBHZEr48pfMx1NSfGU6BU"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("list", "trust"), default="list", help="default: list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="hosts: those to trust, or to list (default: all)")
    parser.add_argument("--yes", action="store_true", help="trust: take the key that is offered, whatever it is")
    parser.add_argument(
        "--fingerprint",
        action="append",
        metavar="SHA256:...",
        help="trust: take the key only if this is its fingerprint; once for each machine that is not known yet",
    )


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.session import opened
    from runner.errors import UserError

    with opened(arguments) as runner:
        if arguments.what == "list":
            hosts = _chosen(runner.hosts(), arguments.names) if arguments.names else runner.hosts()
            with_agents = any(host.transport == "agent" for host in hosts)
            contacts = runner.store.host_commands.contacts() if with_agents else []
            _list(arguments, hosts, {contact.host: contact for contact in contacts})
            return exits.FINE
        if not arguments.names:
            raise UserError("name the host to trust: penstock hosts trust NAME; `penstock hosts` lists them")
        import asyncio

        hosts = _chosen(runner.hosts(), arguments.names)
        for host in hosts:
            if host.transport != "ssh":
                raise UserError(f"{host.name} is a {host.transport} host; only those reached by SSH have keys to trust")
        keys = [key for host in hosts for key in asyncio.run(runner.trust(host, lambda key: _accept(arguments, key)))]
    _tell(arguments, keys)
    return exits.FINE


def _chosen(hosts: "Sequence[Host]", names: "Sequence[str]") -> "list[Host]":
    from runner.errors import UserError
    from runner.schema import did_you_mean

    known = {host.name: host for host in hosts}
    for name in names:
        if name not in known:
            raise UserError(f"no host {name} is configured{did_you_mean(name, known)}")
    return [known[name] for name in names]


def _list(arguments: argparse.Namespace, hosts: "Sequence[Host]", contacts: "Mapping[str, AgentContact]") -> None:
    """*contacts*: when agents were last heard of, by host."""
    from runner.model.value import to_json

    if arguments.output == "json":
        print(to_json([_as_json(host, contacts.get(host.name)) for host in hosts]))
    elif hosts:
        from runner.cli.screen import console, table

        rows = [_row(host, contacts.get(host.name)) for host in hosts]
        table(console(), ("NAME", "TRANSPORT", "ADDRESS", "TAGS"), rows)
    else:
        print("no hosts are configured")


def _as_json(host: "Host", contact: "AgentContact | None") -> "dict[str, Any]":
    import json

    from runner.model.value import to_json

    known: dict[str, Any] = json.loads(to_json(host))
    return known | ({"agent": json.loads(to_json(contact))} if contact else {})


def _row(host: "Host", contact: "AgentContact | None") -> tuple[str, str, str, str]:
    tags = " ".join(f"{key}={value}" if value else key for key, value in sorted(host.tags.items()))
    return host.name, host.transport, _contact(contact) if host.transport == "agent" else _address(host), tags


def _contact(contact: "AgentContact | None") -> str:
    """In the place of an address: an agent has none, it asks."""
    import datetime as dt

    from runner.cli.words import ago

    return f"last contact {ago(contact.at, dt.datetime.now(dt.UTC))}" if contact else "no contact yet"


def _address(host: "Host") -> str:
    if host.ssh is None:
        return host.folder
    user = f"{host.ssh.user}@" if host.ssh.user else ""
    port = f":{host.ssh.port}" if host.ssh.port else ""
    return f"{user}{host.ssh.address or host.name}{port}"


def _accept(arguments: argparse.Namespace, key: "HostKey") -> bool:
    """Whether the person, or what was given in their place, takes *key* for the right one."""
    import sys

    from runner.errors import UserError

    if arguments.fingerprint is not None:
        return key.fingerprint in arguments.fingerprint
    if arguments.yes:
        return True
    print(f"{key.name} shows the key {key.type} {key.fingerprint}", file=sys.stderr)
    if not sys.stdin.isatty():
        raise UserError(
            "nobody can be asked here; compare the fingerprint, then pass it with --fingerprint, or pass --yes"
        )
    print(f"Is that right? It is then added to {key.file} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(arguments: argparse.Namespace, keys: "Sequence[HostKey]") -> None:
    from runner.model.value import to_json

    if arguments.output == "json":
        print(to_json(keys))
        return
    for key in keys:
        how = f"was known already ({key.file})" if key.known else f"added to {key.file}"
        print(f"{key.name} {key.type} {key.fingerprint} {how}")
