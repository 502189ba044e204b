"""Registries of container images, by the distribution API: asked for one digest, nothing is pulled.

Anonymous, with the token that a registry hands out to anybody. Over TLS, but for registries of this machine.
Source: OCI distribution specification 1.1, "Pulling manifests"; "Token authentication" of the Distribution project.
"""

import hashlib
import ipaddress
import re
import socket
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from runner.errors import InvalidRevision, RevisionDoesNotExist, WorldError
from runner.model.value import from_json

_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LONGEST = 4 * 1024 * 1024  # bytes of an answer: what the specification wants registries to take at least
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')
_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_RETRIES = urllib3.Retry(total=3, connect=1, read=1, redirect=3, status=0, other=0, raise_on_redirect=True)


def digest(registry: str, path: str, tag: str) -> str:
    """The digest of the image, or list of images, that *tag* names now.

    Raises `RevisionDoesNotExist`, `InvalidRevision` where no registry may be asked, `WorldError`.
    """
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES) as http:
        return _Registry(registry, path, http).digest(tag)


class _Registry:
    """One repository of one registry."""

    def __init__(self, registry: str, path: str, http: urllib3.PoolManager) -> None:
        self._registry, self._path, self._http = registry, path, http
        self._headers = {"Accept": ", ".join(_KINDS), "User-Agent": "penstock"}

    def digest(self, tag: str) -> str:
        scheme = "http" if _is_local(self._registry.partition(":")[0]) else "https"
        url = f"{scheme}://{self._registry}/v2/{self._path}/manifests/{tag}"
        answer = self._ask("HEAD", url)
        if answer.status == 401:
            self._authenticate(answer.headers.get("WWW-Authenticate", ""), url)
            answer = self._ask("HEAD", url)
        self._check(answer, tag)
        if found := answer.headers.get("Docker-Content-Digest"):
            return str(found)
        answer = self._ask("GET", url)  # the header is only recommended
        self._check(answer, tag)
        return f"sha256:{hashlib.sha256(answer.data).hexdigest()}"

    def _ask(self, method: str, url: str) -> urllib3.BaseHTTPResponse:
        """The answer, with its body read."""
        _check_address(url)
        try:
            answer = self._http.request(method, url, headers=self._headers, preload_content=False)
            body = answer.read(_LONGEST + 1, decode_content=True, cache_content=True)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise WorldError(f"the registry {self._registry} cannot be asked: {_reason(error)}") from error
        if len(body) > _LONGEST:
            raise WorldError(f"the registry {self._registry} answered with more than {_LONGEST:,} bytes")
        return answer

    def _authenticate(self, challenge: str, url: str) -> None:
        """Get the token that *challenge* speaks of. Without one the next answer says no."""
        if not challenge.lower().startswith("bearer "):
            return
        told = dict(_CHALLENGE.findall(challenge))
        wanted = {"scope": f"repository:{self._path}:pull", **told}
        realm = wanted.pop("realm", "")
        if urlsplit(realm).scheme not in ("https", urlsplit(url).scheme):
            raise WorldError(
                f"the registry {self._registry} wants tokens to be asked for at {realm!r}", retryable=False
            )
        answer = self._ask("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted)}")
        if answer.status != 200:
            return
        try:
            said = from_json(answer.data, dict[str, Any])
        except ValueError as error:
            raise WorldError(f"{realm} gave no token for {self._registry}: {error}") from error
        token = said.get("token") or said.get("access_token")
        self._headers = {**self._headers, "Authorization": f"Bearer {token}"}

    def _check(self, answer: urllib3.BaseHTTPResponse, tag: str) -> None:
        image = f"{self._registry}/{self._path}:{tag}"
        if answer.status == 404:
            raise RevisionDoesNotExist(f"there is no image {image}; was it pushed?")
        if answer.status in (401, 403):
            raise WorldError(
                f"access to {image} was denied (status {answer.status}); registries say the same of what is not there. "
                "Only images that anybody may pull can be asked for, and those of Amazon ECR"
            )
        if answer.status != 200:
            raise WorldError(f"the registry {self._registry} answered with status {answer.status} for {image}")


def _is_local(host: str) -> bool:
    """Registries of this machine speak plain HTTP, as Docker takes it."""
    return host == "localhost" or host.startswith("127.")


def _check_address(url: str) -> None:
    """Manifests name registries, and registries name other addresses: metadata services are none of theirs."""
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WorldError(f"the address of the registry {host} cannot be found: {error}") from error
    for *_, place in found:
        if ipaddress.ip_address(str(place[0]).partition("%")[0]).is_link_local:
            raise InvalidRevision(f"{host} has the address {place[0]}, where no registry may be")


def _reason(error: Exception) -> str:
    """urllib3 wraps what happened in what it did about it."""
    return str(getattr(error, "reason", None) or error)
