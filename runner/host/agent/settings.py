"""The agent's one file, /etc/penstock/agent.json: who this host is, and whom it listens to. Only its user may read it."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

from runner.host.agent.errors import Mistake
from runner.host.agent.pinned_key import PinnedKey
from runner.host.lean.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = "/etc/penstock/agent.json"
STATE = "/var/lib/penstock/agent"

_LOOPBACK = ("localhost", "::1")


class Settings(Record):
    """*server*: its URL. *ca_file*: certificates to trust instead of the system's, "" for those. *state*: a folder.

    *plain_http*: without TLS to another machine is all right; somebody said so.
    """

    server: str
    host: str
    access_key_id: str
    secret_access_key: str
    region: str
    signing_key: PinnedKey
    ca_file: str = ""
    state: str = STATE
    plain_http: bool = False

    @classmethod
    def read(cls, path: str) -> Settings:
        """Raises `Mistake` when there is no such file, or when it is not what `enrol` writes."""
        try:
            with open(path, encoding="utf-8") as file:
                value = json.loads(file.read())
        except FileNotFoundError as error:
            raise Mistake("there is no {}: enrol this host first, with `enrol`".format(path)) from error
        except OSError as error:
            raise Mistake("{} cannot be read: {}".format(path, error.strerror)) from error
        except ValueError as error:
            raise Mistake("{} is not JSON: {}".format(path, error)) from error
        return cls._from_json(value, path)

    @classmethod
    def _from_json(cls, value: Any, path: str) -> Settings:
        if not isinstance(value, dict):
            raise Mistake("{} is not a JSON object".format(path))
        known = {name: value[name] for name in cls.__annotations__ if name in value}
        known["signing_key"] = PinnedKey.from_json(value.get("signing_key"))
        try:
            made = cls(**known)
        except TypeError as error:
            raise Mistake("{}: {}; enrol this host again".format(path, error)) from error
        for name, member in made.members().items():
            if not isinstance(member, PinnedKey if name == "signing_key" else bool if name == "plain_http" else str):
                raise Mistake("{}: {} is not what it should be; enrol this host again".format(path, name))
        check_server(made.server, made.plain_http)
        return made

    def write(self, path: str) -> None:
        """Put this in *path* for its user alone; a crash leaves either the old content or the new. Raises `OSError`."""
        value = dict(self.members(), signing_key=self.signing_key.as_json())
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        fresh = path + ".new"
        if os.path.lexists(fresh):
            os.unlink(fresh)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(value, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)


def check_server(url: str, plain_http: bool) -> None:
    """Raises `Mistake` for what is no URL of a server, and for one without TLS that leads to another machine."""
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Mistake("{} is not the URL of a server: {}".format(url, error)) from error
    if parts.scheme not in ("http", "https") or not name or parts.path.strip("/") or parts.query or parts.username:
        raise Mistake("{!r} is not the URL of a server, such as https://penstock.example.com:8443".format(url))
    if parts.scheme == "http" and not plain_http and not _is_loopback(name):
        raise Mistake(
            "{} has no TLS: whoever is on the way could read this host's key and what is deployed. Use https://, or say "
            "--plain-http if the network is yours".format(url)
        )


def _is_loopback(name: str) -> bool:
    numbers = name.split(".")
    return name in _LOOPBACK or (len(numbers) == 4 and numbers[0] == "127" and all(each.isdigit() for each in numbers))
