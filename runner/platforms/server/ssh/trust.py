"""Getting to know a host: its key is shown to somebody who decides, and is then written into known_hosts."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from runner.errors import UserError, WorldError
from runner.model.target import Host, HostKey
from runner.platforms.server.ssh import known_hosts
from runner.platforms.server.ssh.authentication import log_in
from runner.platforms.server.ssh.link import Link
from runner.platforms.server.ssh.login import Login, Offer, offered, route_to

Accept: TypeAlias = Callable[[HostKey], bool]
"""Shown an unknown key; says whether it is the right one. May take its time."""


async def trust(host: Host, accept: Accept) -> list[HostKey]:
    """Add the keys of *host* and of its hops that are unknown so far and that *accept* says yes to; returns all of them.

    Nobody logs in to the host itself, only to hops. Raises `UserError` when *accept* says no, `WorldError`.
    """
    login = Login(host)
    limit = login.ssh.connect_timeout.total_seconds()
    keys: list[HostKey] = []
    try:
        route = await route_to(host)
        for endpoint in route:
            try:
                async with asyncio.timeout(limit):
                    link: Link = await login.reach(endpoint)
                    offer = await offered(link, endpoint, host)
            except TimeoutError as error:
                raise WorldError(f"{endpoint} did not show its key within {limit:g} s (connect_timeout)") from error
            keys.append(_settled(offer, accept))
            if endpoint is not route[-1]:
                await log_in(link, endpoint, limit)
    finally:
        await login.close()
    return keys


def _settled(offer: Offer, accept: Accept) -> HostKey:
    kind, fingerprint = known_hosts.kind(offer.key), known_hosts.fingerprint(offer.key)
    key = HostKey(name=offer.name, type=kind, fingerprint=fingerprint, known=offer.is_known, file=offer.file)
    if offer.is_known:
        return key
    if not accept(key):
        raise UserError(f"the key of {offer.name}, {kind} {fingerprint}, was not accepted; nothing was added")
    known_hosts.add(offer.file, known_hosts.line_for(offer.name, offer.key))
    return key
