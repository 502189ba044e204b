"""Repositories that can be asked in the event loop: those of http and https servers that speak git's protocol 2.

A server is asked once what it speaks; from then on one request on a kept connection is a poll. Servers of older protocols,
and all that is behind a proxy, are left to libgit2.
"""

import urllib.request
from functools import partial
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import pygit2

from runner.config import RepositoryConfig
from runner.errors import WorldError
from runner.ports import Clock
from runner.sources.git import ls_refs
from runner.sources.git.http import problems
from runner.sources.git.http.connection import Response
from runner.sources.git.http.host import Address, Host
from runner.sources.git.http.login import Offer, offers
from runner.sources.git.tokens import Login, Logins
from runner.threads import in_thread

_ADVERTISED = "/info/refs?service=git-upload-pack"
_MOST_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_AGENT = "git/2.0 (penstock)"  # some servers answer as to a browser unless it begins like this


class SmartHttp:
    """All servers that are asked, and their connections. For one event loop; close it in that loop.

    *logins*: where a token is to be had for a repository without `credentials`.
    """

    def __init__(self, clock: Clock, logins: Logins = lambda config: None) -> None:
        self._clock = clock
        self._logins = logins
        self._hosts: dict[Address, Host] = {}
        self._proxies: bool | None = None

    def of(self, config: RepositoryConfig) -> "SmartRefs | None":
        """None for a repository that is not on such a server, or behind a proxy."""
        try:
            parts = urlsplit(config.url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            return None
        if not fits or not problems.is_plain(config.url) or parts.query or self._is_behind_a_proxy(parts):
            return None
        return SmartRefs(config, self, self._logins(config))

    def host(self, parts: SplitResult, ca_file: str | None) -> Host:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = Address(parts.scheme, parts.hostname or "", port, ca_file)
        if address not in self._hosts:
            self._hosts[address] = Host(address, self._clock)
        return self._hosts[address]

    def close(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            host.close()

    def _is_behind_a_proxy(self, parts: SplitResult) -> bool:
        """By git's configuration or by the environment, where libgit2 looks as well."""
        if self._proxies is None:
            self._proxies = _is_configured("http.proxy")
        if self._proxies:
            return True
        named = urllib.request.getproxies_environment()
        if not (named.get(parts.scheme) or named.get("all")):
            return False
        return not urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2], named)


class _Place(NamedTuple):
    """Where a repository is, and what to send there."""

    host: Host
    request: bytes


class SmartRefs:
    """The refs of one repository. Implements `QuickRefs`."""

    def __init__(self, config: RepositoryConfig, servers: SmartHttp, login: Login | None = None) -> None:
        self._config, self._servers, self._login = config, servers, login
        self._place: _Place | None = None
        self._speaks = True

    async def ask(self) -> ls_refs.Refs | None:
        try:
            known = self._place
            if known is not None and (answer := _refs(await known.host.ask(known.request))):
                return answer
            self._place = None  # it moved, or our password changed, or the server did: find out
            self._place = await self._find() if self._speaks else None
            if self._place is None:
                return None
            response = await self._place.host.ask(self._place.request)
            if answer := _refs(response):
                return answer
            self._place = None
            raise problems.refused(response, ())
        except Exception as error:
            raise problems.told(self._config, error) from error

    async def _find(self) -> _Place | None:
        """Ask the server what it speaks. None: nothing that we do, from now on."""
        tried: list[Offer] = []
        offered = offers(self._config, self._login)
        # a token may have to be asked for: not in everybody's way
        next_one = partial(next, offered, None)
        while offer := await in_thread(next_one) if self._login else next_one():
            tried.append(offer)
            parts, response = await self._advertised(offer)
            if response.status != 401:
                break
        if response.status != 200:
            raise problems.refused(response, [each.described for each in tried if each.described])
        self._speaks = ls_refs.speaks(response.body)
        if not self._speaks:
            return None
        path = parts.path.removesuffix("/info/refs") + "/git-upload-pack"
        return _Place(self._host(parts), _post(parts, path, tried[-1], ls_refs.request(self._config)))

    async def _advertised(self, offer: Offer) -> tuple[SplitResult, Response]:
        """The answer to the first question, and where it came from: a server may send us on, but only to itself."""
        own = urlsplit(self._config.url.rstrip("/") + _ADVERTISED)
        parts = own
        for _ in range(_MOST_REDIRECTS):
            response = await self._host(parts).ask(_get(parts, offer))
            elsewhere = response.headers.get("location")
            if response.status not in _MOVED or not elsewhere:
                return parts, response
            parts = problems.moved(own, parts, elsewhere)
        raise WorldError(f"it sends us from one address to the next, {_MOST_REDIRECTS} times")

    def _host(self, parts: SplitResult) -> Host:
        return self._servers.host(parts, self._config.ca_file)


def _refs(response: Response) -> ls_refs.Refs | None:
    """None for an answer that holds none."""
    return ls_refs.Refs(response.body) if response.status == 200 and ls_refs.is_whole(response.body) else None


def _get(parts: SplitResult, offer: Offer) -> bytes:
    return _head("GET", parts, f"{parts.path}?{parts.query}", offer, "Accept: */*\r\nPragma: no-cache\r\n") + b"\r\n"


def _post(parts: SplitResult, path: str, offer: Offer, body: bytes) -> bytes:
    kinds = (
        "Content-Type: application/x-git-upload-pack-request\r\nAccept: application/x-git-upload-pack-result\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    return _head("POST", parts, path, offer, kinds) + b"\r\n" + body


def _head(method: str, parts: SplitResult, path: str, offer: Offer, more: str) -> bytes:
    place = parts.netloc.rpartition("@")[2]
    login = f"Authorization: {offer.header}\r\n" if offer.header else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {_AGENT}\r\nGit-Protocol: {ls_refs.PROTOCOL}\r\n"
        f"{login}{more}"
    ).encode()


def _is_configured(name: str) -> bool:
    for find in (pygit2.Config.get_global_config, pygit2.Config.get_xdg_config, pygit2.Config.get_system_config):
        try:
            if name in find():
                return True
        except (OSError, pygit2.GitError):
            continue
    return False
