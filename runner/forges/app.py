"""Logging in as a GitHub App: a signed claim that is good for minutes, and with it a token for one repository, for an hour.

The claim is a JSON Web Token with RS256. It is two base64 texts and a signature by `cryptography`, which is here anyway.
Source: GitHub's documentation, "Generating a JSON Web Token (JWT) for a GitHub App", "Authenticating as a GitHub App
installation".
"""

import base64
import datetime as dt
import threading
from typing import NamedTuple

from runner.config import ForgeConfig, secret
from runner.errors import UserError, WorldError
from runner.forges.rest import Answer, Api, Deadline, ask, check, clock_hint
from runner.log import Secret
from runner.model.value import to_json
from runner.ports import Clock

ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_BEFORE_ITS_END = dt.timedelta(minutes=5)  # a token must outlive what it is used for
_CLOCKS_DIFFER = dt.timedelta(seconds=60)
_CLAIM = dt.timedelta(minutes=9)  # GitHub takes ten at most
_TOTAL = 9.0  # seconds for a token


class _Token(NamedTuple):
    text: Secret
    until: dt.datetime


class App:
    """The App of *config*, which has `app_id` and `private_key`. Safe to use from several threads."""

    def __init__(self, config: ForgeConfig, api: Api, clock: Clock) -> None:
        self._config, self._api, self._clock = config, api, clock
        self._tokens: dict[str, _Token] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def token(self, repository: str, refused: Secret | None = None, deadline: Deadline | None = None) -> Secret:
        """A token that is good for *repository* (`OWNER/NAME`) and no other. *refused*: one that was not good after all.

        May block. Raises `WorldError`; all of what may be wrong can be mended while somebody waits.
        """
        key = repository.lower()
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            held = self._tokens.get(key)
            if held and held.text != refused and held.until - _BEFORE_ITS_END > self._clock():
                return held.text
            self._tokens[key] = made = self._made(repository, deadline or Deadline(_TOTAL))
            return made.text

    def _made(self, repository: str, deadline: Deadline) -> _Token:
        headers = {**ACCEPT, "Authorization": f"Bearer {self._claim().reveal()}"}
        found = ask(self._api, "GET", f"/repos/{repository}/installation", headers, None, deadline)
        if found.status == 404:
            raise WorldError(f"the GitHub App {self._config.app_id} is not installed on {repository}")
        self._check(found, f"finding the GitHub App on {repository}")
        body = {"repositories": [repository.partition("/")[2]]}
        path = f"/app/installations/{_number(found)}/access_tokens"
        made = ask(self._api, "POST", path, headers, body, deadline)
        self._check(made, f"a token for {repository}")
        try:
            until = dt.datetime.fromisoformat(made.content["expires_at"])
            return _Token(Secret(made.content["token"]), until)
        except (KeyError, TypeError, ValueError) as error:
            raise WorldError(f"GitHub's answer holds no token for {repository}") from error

    def _check(self, answer: Answer, what: str) -> None:
        if answer.status == 401:
            said = (
                clock_hint(answer, self._clock()) or "; do app_id and private_key of [forges.github] belong together?"
            )
            raise WorldError(f"{what} was refused (status 401: {answer.said}){said}")
        check(answer, what, self._clock())

    def _claim(self) -> Secret:
        """That we are the App, signed. Good for some minutes, so it is made for each use."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        now = self._clock()
        who = {"iss": self._config.app_id, **_times(now - _CLOCKS_DIFFER, now + _CLAIM)}
        signed = b".".join(map(_base64, (to_json({"alg": "RS256", "typ": "JWT"}).encode(), to_json(who).encode())))
        signature = _base64(_key(self._config.private_key or "").sign(signed, PKCS1v15(), hashes.SHA256()))
        return Secret((signed + b"." + signature).decode())


def _key(reference: str):  # type: ignore[no-untyped-def] # cryptography is imported late
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(secret(reference).reveal().encode(), None)
    except UserError as error:  # may be mended while a message waits
        raise WorldError(str(error)) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise WorldError(f"the private key {reference} is no PEM file without a passphrase") from error
    if not isinstance(key, RSAPrivateKey):
        raise WorldError(f"the private key {reference} is not an RSA key, as GitHub gives out")
    return key


def _times(issued: dt.datetime, ends: dt.datetime) -> dict[str, int]:
    return {"iat": int(issued.timestamp()), "exp": int(ends.timestamp())}


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _number(found: Answer) -> int:
    number = found.content.get("id") if isinstance(found.content, dict) else None
    if not isinstance(number, int):
        raise WorldError("GitHub's answer does not say which installation of the App it is")
    return number
