"""Registries of container images, by the distribution API: asked for one digest, nothing is pulled.

With a password where the configuration has one, else with the token that a registry hands out to anybody. Over TLS, but
for registries of this machine.
Source: OCI distribution specification 1.1, "Pulling manifests"; "Token authentication" of the Distribution project.
"""

import base64
import contextlib
import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin

from runner.config import RegistryConfig, secret
from runner.errors import RevisionDoesNotExist, WorldError
from runner.model.value import from_json

_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LONGEST = 4 * 1024 * 1024  # bytes of an answer: what the specification wants registries to take at least
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')
_CONNECT, _TOTAL = 5.0, 20.0  # seconds of one request
_MOST_REDIRECTS = 3
_NO_LOGIN = 'Where not everybody may pull, the configuration needs [registries."%s"] with username and password'


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def digest(registry: str, path: str, tag: str, login: RegistryConfig | None = None) -> str:
    """The digest of the image, or list of images, that *tag* names now.

    Raises `RevisionDoesNotExist`, `UserError` where no registry may be and without *login*'s secret, `WorldError`.
    """
    return _Repository(registry, path, login).digest(tag)


class _Repository:
    """One repository of one registry."""

    def __init__(self, registry: str, path: str, login: RegistryConfig | None) -> None:
        self._registry, self._path, self._login = registry, path, login
        self._headers = {"Accept": ", ".join(_KINDS), "User-Agent": "penstock"}
        self._scheme = "http" if _is_local(registry.partition(":")[0]) else "https"

    def digest(self, tag: str) -> str:
        url = f"{self._scheme}://{self._registry}/v2/{self._path}/manifests/{tag}"
        answer = self._ask("HEAD", url, self._headers)
        if answer.status == 401:
            self._authenticate(answer.headers.get("WWW-Authenticate", ""))
            answer = self._ask("HEAD", url, self._headers)
        self._check(answer, tag)
        if found := answer.headers.get("Docker-Content-Digest"):
            return found
        answer = self._ask("GET", url, self._headers)  # the header is only recommended
        self._check(answer, tag)
        self._json(answer)  # whole
        return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"

    def _authenticate(self, challenge: str) -> None:
        """Get the token that *challenge* speaks of, or take the password. Without either the next answer says no."""
        if not challenge.lower().startswith("bearer "):
            self._headers |= self._password()
            return
        told = dict(_CHALLENGE.findall(challenge))
        wanted = {"scope": f"repository:{self._path}:pull", **told}
        realm = wanted.pop("realm", "")
        place = f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted)}"
        answer = self._ask("GET", place, {"User-Agent": "penstock", **self._password()})
        if answer.status == 200:
            said = self._json(answer)
            self._headers["Authorization"] = f"Bearer {said.get('token') or said.get('access_token')}"

    def _password(self) -> dict[str, str]:
        if self._login is None:
            return {}
        pair = f"{self._login.username}:{secret(self._login.password).reveal()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _check(self, answer: _Answer, tag: str) -> None:
        image = f"{self._registry}/{self._path}:{tag}"
        if answer.status == 404:
            raise RevisionDoesNotExist(f"there is no image {image}; was it pushed?")
        if answer.status in (401, 403):
            raise WorldError(
                f"access to {image} was denied (status {answer.status}); registries say the same of what is not there. "
                + ("Is the password right, and may its user pull?" if self._login else _NO_LOGIN % self._registry)
            )
        if answer.status != 200:
            raise WorldError(f"the registry {self._registry} answered with status {answer.status} for {image}")

    def _json(self, answer: _Answer) -> dict[str, Any]:
        try:
            return from_json(answer.body, dict[str, Any])
        except ValueError as error:
            raise WorldError(
                f"the registry {self._registry} answered with something else than JSON: {error}"
            ) from error

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> _Answer:
        """The answer, also where it is elsewhere: without the token there, which is for this registry."""
        for _ in range(_MOST_REDIRECTS):
            answer = self._ask_once(method, url, headers)
            elsewhere = answer.headers.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or not elsewhere:
                return answer
            url = urljoin(url, elsewhere)
            headers = {key: value for key, value in headers.items() if key != "Authorization"}
        raise WorldError(f"the registry {self._registry} sends from one address to the next, {_MOST_REDIRECTS} times")

    def _ask_once(self, method: str, url: str, headers: Mapping[str, str]) -> _Answer:
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout, parse_url

        from runner.outgoing.connection import Limits, pool, reason

        try:
            place = parse_url(url)
            if place.scheme not in ("https", self._scheme) or not place.hostname:
                raise WorldError(f"the registry {self._registry} sends to {url!r}, which cannot be trusted")
            with pool(place, Limits(_CONNECT, _TOTAL)) as connections:
                answer = connections.urlopen(
                    method,
                    place.request_uri,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    timeout=Timeout(connect=_CONNECT, read=_TOTAL),
                    preload_content=False,
                )
                with contextlib.closing(answer):
                    body = answer.read(_LONGEST + 1)
        except (HTTPError, OSError, UnicodeError) as error:
            raise WorldError(f"the registry {self._registry} cannot be asked: {reason(error)}") from error
        if len(body) > _LONGEST:
            raise WorldError(f"the registry {self._registry} answered with more than {_LONGEST:,} bytes")
        return _Answer(answer.status, answer.headers, body)


def _is_local(host: str) -> bool:
    """Registries of this machine speak plain HTTP, as Docker takes it."""
    return host == "localhost" or host.startswith("127.")
