"""The control side as the agent sees it: the five operations of the command API, signed, and bundles.

Source: CodeDeployCommandService 2014-10-06, as the official agent uses it; the offset of output is ours.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from html import unescape
from urllib.parse import quote

from runner.host.agent.connection import Answer, Connection, trust_in
from runner.host.agent.errors import Rejected, Unreachable
from runner.host.agent.signature import Signer, query_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    from typing import Any

    from runner.host.agent.settings import Settings

VERSION = str(getattr(sys.modules["runner"], "__version__", "unknown"))

_TARGET = "CodeDeployCommandService_v20141006."
_HELD = 80.0  # seconds that a poll may take; the server answers after 60
_PATIENCE = 30.0  # for everything else
_BUSY = ("ThrottlingException", "RequestTimeoutException")
_NO_BODY = hashlib.sha256(b"").hexdigest()
_MOST_OF_ERROR = 1 << 16  # bytes that are looked at
_MOST_IDLE = 16  # connections


class Service:
    """Speaks for one `Settings`. Any number of threads may use it: each call takes a connection for itself.

    Every operation raises `Unreachable` when trying again may help, and `Rejected` when it will not.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._trust = trust_in(settings.server, settings.ca_file)
        self._commands = self._signer("codedeploy-commands")
        self._bundles = self._signer("s3")
        self._idle: list[Connection] = []
        self._polling: Connection | None = None

    def poll(self) -> dict[str, Any] | None:
        """The next command for this host; None after a minute without one. For one thread; `stop_polling` ends it."""
        connection = self._polling = self._polling or self._connection()
        answer = self._exchange(connection, "PollHostCommand", {"HostIdentifier": self.settings.host}, _HELD)
        refuse(answer)
        command: dict[str, Any] | None = object_in(answer.body).get("HostCommand")
        return command

    def stop_polling(self) -> None:
        """Break the poll that is under way, so that the server hands out nothing to it any more."""
        if self._polling is not None:
            self._polling.cut()

    def specification(self, execution_id: str) -> dict[str, Any]:
        """What is deployed, in its signed envelope."""
        asked = {"DeploymentExecutionId": execution_id, "HostIdentifier": self.settings.host}
        return self._ask("GetDeploymentSpecification", asked)

    def acknowledge(self, identifier: str, is_noop: bool) -> str:
        """Say that the command has arrived. Returns its status; only `Pending` and `InProgress` mean: carry it out."""
        return self._status("PutHostCommandAcknowledgement", identifier, {"IsCommandNoop": is_noop}, {})

    def complete(self, identifier: str, succeeded: bool, diagnostics: dict[str, Any]) -> None:
        """Say how the command ended. May be said again: the first word counts."""
        status = "Succeeded" if succeeded else "Failed"
        self._status("PutHostCommandComplete", identifier, diagnostics, {"CommandStatus": status})

    def update(self, identifier: str, log: str, begins: int, ends: int) -> tuple[str, int | None]:
        """Send the output between two offsets in the host's log; *begins* 0: the event's first.

        Returns the command's status, and how far the server has the output, if it says so.
        """
        asked = self._about(identifier, {"log": log, "from": begins, "offset": ends})
        answer = self._ask("PostHostCommandUpdate", asked)
        has = answer.get("Offset")
        return str(answer.get("CommandStatus", "")), has if isinstance(has, int) else None

    def open_bundle(self, bundle: dict[str, Any], start: int) -> tuple[Connection, http.client.HTTPResponse]:
        """Begin to fetch a bundle from byte *start*; the server may send all of it (200) or the rest (206).

        The connection is the caller's, to be closed.
        """
        path = "/" + quote("{}/{}".format(bundle["Bucket"], bundle["Key"]), safe="/-_.~")
        query = {"versionId": bundle["Version"]} if bundle.get("Version") else {}
        connection = self._connection()
        headers = {"Host": connection.authority, "X-Amz-Date": _now(), "X-Amz-Content-Sha256": _NO_BODY}
        headers["Authorization"] = self._bundles.authorization("GET", path, query, headers, _NO_BODY)
        if start:
            headers["Range"] = "bytes={}-".format(start)
        try:
            response = connection.begin(
                "GET", path + ("?" + query_string(query) if query else ""), headers, b"", _PATIENCE
            )
            if response.status not in (200, 206):
                body = response.read(_MOST_OF_ERROR)
                raise _refusal(Answer(status=response.status, headers={}, body=body))
        except Exception:
            connection.close()
            raise
        return connection, response

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _status(self, operation: str, identifier: str, diagnostics: dict[str, Any], more: dict[str, str]) -> str:
        answer = self._ask(operation, dict(self._about(identifier, diagnostics), **more))
        return str(answer.get("CommandStatus", ""))

    @staticmethod
    def _about(identifier: str, diagnostics: dict[str, Any]) -> dict[str, Any]:
        payload = json.dumps(diagnostics, ensure_ascii=False)
        return {"HostCommandIdentifier": identifier, "Diagnostics": {"Format": "JSON", "Payload": payload}}

    def _ask(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connection()
        answer = self._exchange(connection, operation, asked, _PATIENCE)
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        refuse(answer)
        return object_in(answer.body)

    def _exchange(self, connection: Connection, operation: str, asked: dict[str, Any], patience: float) -> Answer:
        body = json.dumps(asked).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "Host": connection.authority,
            "X-Amz-Codedeploy-Agent-Version": "penstock/" + VERSION,
            "X-Amz-Date": _now(),
            "X-Amz-Target": _TARGET + operation,
        }
        sha256 = hashlib.sha256(body).hexdigest()
        headers["Authorization"] = self._commands.authorization("POST", "/", {}, headers, sha256)
        return connection.exchange("POST", "/", headers, body, patience)

    def _connection(self) -> Connection:
        return Connection(self.settings.server, self._trust)

    def _signer(self, service: str) -> Signer:
        of = self.settings
        return Signer(of.access_key_id, of.secret_access_key, of.region, service)


def refuse(answer: Answer) -> None:
    """Raises what an *answer* other than 200 means."""
    if answer.status != 200:
        raise _refusal(answer)


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that is *body*; nothing at all counts as an empty one. Raises `Unreachable`."""
    try:
        value = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise Unreachable("the server answered with what is not JSON: is it a Penstock server?") from error
    if not isinstance(value, dict):
        raise Unreachable("the server answered with what is not a JSON object: is it a Penstock server?")
    return value


def _refusal(answer: Answer) -> Exception:
    said = _said(answer.body)
    code = str(said.get("__type") or "HTTP {}".format(answer.status)).rpartition("#")[2]
    message = str(said.get("message") or said.get("Message") or "")
    if answer.status >= 500 or answer.status in (408, 429) or code in _BUSY:
        return Unreachable("the server is in trouble: {}".format(": ".join(part for part in (code, message) if part)))
    return Rejected(answer.status, code, message)


def _said(body: bytes) -> dict[str, Any]:
    """What an error says of itself: JSON, or S3's XML where it is about a bundle."""
    try:
        return object_in(body)
    except Unreachable:
        text = body[:_MOST_OF_ERROR].decode("utf-8", "replace")
        found = {name: re.search("<{0}>([^<]*)</{0}>".format(name), text) for name in ("Code", "Message")}
        named = {"Code": "__type", "Message": "message"}
        return {named[name]: unescape(match[1]) for name, match in found.items() if match}


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
