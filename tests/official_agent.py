"""The official CodeDeploy agent 1.8 as a client, as far as its protocol goes. It runs no scripts: it is told their end.

Source: the notes on the agent's wire protocol that the project started from: polling in parallel, up to 16 commands at
once, acknowledge before executing, two Completes after a failure, the SDK's retries, code 7 after a crash. It signs with
botocore's own signer, and fetches bundles as its S3 client does. Time passes faster here: `pace` scales the pauses after
errors, `retry_pace` those of the SDK; `more_retries` than the SDK makes are for machines that start servers slowly.
"""

import base64
import contextlib
import http.client
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_NO_OP_NEVER = ("DownloadBundle", "Install")
_SUPPORTED = (
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)
_RETRIES = (0.3, 0.6, 1.2)  # seconds


class ClientError(Exception):
    """An answer of 4xx: the agent does not try again."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class ScriptError(Exception):
    """What a script that failed leaves behind."""

    def __init__(self, code: int, script: str, message: str, log: str) -> None:
        super().__init__(message)
        self.code, self.script, self.log = code, script, log


class Executed(NamedTuple):
    event: str
    deployment: str


Run = Callable[[str, dict[str, Any]], bool]
"""Stands for the scripts: (event, specification) -> ran something. May raise `ScriptError`."""


class OfficialAgent:
    """One agent process of one host. *folder*: its root_dir, which outlives it. *identifier*: the ARN it calls itself.

    Keeps in *executed* what it ran, in *received* every command, in *errors* what its log would show.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        key: tuple[str, str],
        identifier: str,
        run: Run = lambda event, specification: True,
        secure: bool = False,
        pace: float = 0.02,
        retry_pace: float = 0.02,
        more_retries: int = 0,
        fetch: bool = True,
    ) -> None:
        self.url, self.identifier, self._run, self._pace, self._fetch = url, identifier, run, pace, fetch
        self._retries = [pause * retry_pace for pause in (*_RETRIES, *(_RETRIES[-1],) * more_retries)]
        self._prefix, self._service = (
            ("CodeDeployCommandService", "codedeploy-commands-secure")
            if secure
            else ("CodeDeployCommandService_v20141006", "codedeploy-commands")
        )
        self._credentials = Credentials(*key)
        self._tracking = folder / "ongoing-deployment"
        self._tracking.mkdir(parents=True, exist_ok=True)
        self._archives = folder / "archives"
        self._archives.mkdir(exist_ok=True)
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(16)
        self._places = threading.BoundedSemaphore(16)
        self._poller = threading.Thread(target=self._loop, daemon=True)
        self.executed: list[Executed] = []
        self.received: list[dict[str, Any]] = []
        self.completes: list[tuple[str, str]] = []
        self.errors: list[str] = []

    @property
    def is_started(self) -> bool:
        return self._poller.ident is not None

    def start(self) -> "OfficialAgent":
        """GET / must be answered at all; then what a dead predecessor left is reported, then polling begins."""
        with contextlib.suppress(urllib.error.HTTPError):
            _PLAIN.open(self.url, timeout=20).read()
        self._recover_from_crash()
        self._poller.start()
        return self

    def stop(self) -> None:
        """As SIGTERM: no further poll, running commands may end."""
        self._ended.set()
        self._poller.join(90)
        self._pool.shutdown(wait=True)

    def die(self) -> None:
        """As kill -9: nothing is reported any more."""
        self._ended.set()
        self.complete = lambda *_: None  # type: ignore[method-assign]

    # The poll loop.

    def _loop(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                command = self.poll()
                failures = 0
                if command is not None:
                    self._places.acquire()
                    self._pool.submit(self._process, command).add_done_callback(self._done)
            except Exception as error:  # noqa: BLE001 - the agent's loop catches everything
                self.errors.append(f"{type(error).__name__}: {error}")
                failures += 1
                self._ended.wait(self._pace * int(1.2675 ** min(failures, 10) * 90 / 1.2675**10))

    def _done(self, processed: "Future[None]") -> None:
        self._places.release()
        if error := processed.exception():
            self.errors.append(f"{type(error).__name__}: {error}")

    def poll(self) -> dict[str, Any] | None:
        command: dict[str, Any] | None = self.call("PollHostCommand", HostIdentifier=self.identifier).get("HostCommand")
        if command is None:
            return None
        if command["HostIdentifier"] not in self.identifier:
            raise ValueError(f"Host Identifier mismatch: {self.identifier} != {command['HostIdentifier']}")
        if not command.get("CommandName"):
            raise ValueError("no command name")
        self.received.append(command)
        return command

    # One command.

    def _process(self, command: dict[str, Any]) -> None:
        identifier = command["HostCommandIdentifier"]
        try:
            specification = self.specification(command)
            if not self._acknowledged(command, specification):
                return
            self._track(specification, identifier)
            try:
                note = self._execute(command["CommandName"], specification)
            finally:
                self._untrack(specification)
            self.complete(
                identifier,
                "Succeeded",
                {"error_code": 0, "script_name": "", "message": f"Succeeded: {note}", "log": ""},
            )
        except ScriptError as error:
            self.complete(
                identifier,
                "Failed",
                {"error_code": error.code, "script_name": error.script, "message": str(error), "log": error.log},
            )
            time.sleep(0.003)  # the same failure is reported again, by the rescue around
            self._complete_error(identifier, str(error))
        except ClientError:
            raise
        except Exception as error:
            self._complete_error(identifier, str(error))
            raise

    def _complete_success(self, identifier: str, note: str) -> None:
        message = f"Succeeded: {note}"
        self.complete(identifier, "Succeeded", {"error_code": 0, "script_name": "", "message": message, "log": ""})

    def _complete_error(self, identifier: str, message: str) -> None:
        self.complete(identifier, "Failed", {"error_code": 5, "script_name": "", "message": message, "log": ""})

    def specification(self, command: dict[str, Any]) -> dict[str, Any]:
        answer = self.call(
            "GetDeploymentSpecification",
            DeploymentExecutionId=command["DeploymentExecutionId"],
            HostIdentifier=self.identifier,
        )
        if answer.get("DeploymentSystem") != "CodeDeploy":
            raise ValueError("unsupported deployment system")
        envelope = answer["DeploymentSpecification"]["GenericEnvelope"]
        if envelope["Format"] != "PKCS7/JSON":
            raise ValueError(f"unsupported format {envelope['Format']}")
        content: dict[str, Any] = json.loads(content_of(envelope["Payload"]))
        for member in ("DeploymentId", "DeploymentGroupId", "DeploymentGroupName", "ApplicationName", "Revision"):
            if not content.get(member):
                raise ValueError(f"{member} is missing")
        return content

    def _acknowledged(self, command: dict[str, Any], specification: dict[str, Any]) -> bool:
        noop = command["CommandName"] not in _NO_OP_NEVER and command["CommandName"] not in _SUPPORTED
        status = self.acknowledge(command["HostCommandIdentifier"], noop)
        if status == "Failed" and noop:
            self._complete_success(command["HostCommandIdentifier"], "CompletedNoopCommand")
        return status not in ("Succeeded", "Failed")

    def acknowledge(self, identifier: str, noop: bool = False) -> str:
        payload = json.dumps({"IsCommandNoop": noop})
        answer = self.call(
            "PutHostCommandAcknowledgement",
            HostCommandIdentifier=identifier,
            Diagnostics={"Format": "JSON", "Payload": payload},
        )
        return str(answer["CommandStatus"])

    def _execute(self, event: str, specification: dict[str, Any]) -> str:
        if event not in _SUPPORTED:
            raise ValueError(f"unsupported command {event}")
        if event == "DownloadBundle" and self._fetch:
            self.download(specification)
        self.executed.append(Executed(event, specification["DeploymentId"]))
        return "" if self._run(event, specification) else "No script"

    def complete(self, identifier: str, status: str, diagnostics: dict[str, Any]) -> None:
        self.completes.append((identifier, status))
        payload = json.dumps(diagnostics)
        self.call(
            "PutHostCommandComplete",
            HostCommandIdentifier=identifier,
            CommandStatus=status,
            Diagnostics={"Format": "JSON", "Payload": payload},
        )

    # Crashes.

    def _track(self, specification: dict[str, Any], identifier: str) -> None:
        (self._tracking / specification["DeploymentId"]).write_text(identifier)

    def _untrack(self, specification: dict[str, Any]) -> None:
        if not self._ended.is_set():
            (self._tracking / specification["DeploymentId"]).unlink(missing_ok=True)

    def _recover_from_crash(self) -> None:
        files = sorted(self._tracking.iterdir(), key=lambda file: file.stat().st_mtime)
        if files and files[-1].stat().st_mtime > time.time() - 24 * 3600:
            message = "Failing in-progress lifecycle event after an agent restart."
            self.complete(
                files[-1].read_text(), "Failed", {"error_code": 7, "script_name": "", "message": message, "log": ""}
            )
        for file in files:
            file.unlink()

    # The wire.

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """One operation, with the SDK's retries on 5xx and on network errors. Raises `ClientError`."""
        body = json.dumps(members).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{self._prefix}.{operation}",
            "X-Amz-Codedeploy-Agent-Version": "OFFICIAL_1.8.1-1_rpm",
        }
        try:
            answered, _ = self._answer(lambda: self._signed("POST", self.url + "/", headers, body))
        except urllib.error.HTTPError as error:
            said = json.loads(error.read() or b"{}")
            raise ClientError(error.code, said.get("__type", ""), said.get("message", "")) from None
        return json.loads(answered or b"{}")  # type: ignore[no-any-return]

    def _answer(self, signed: Callable[[], urllib.request.Request]) -> tuple[bytes, Message]:
        """Body and headers. As the SDK of commands and that of S3 do, asks again after 5xx and after errors of the network.

        Raises `urllib.error.HTTPError` for 4xx at once, and what the last attempt met.
        """
        for pause in (*self._retries, None):
            try:
                with _PLAIN.open(signed(), timeout=80) as answer:
                    return answer.read(), answer.headers
            except (OSError, http.client.HTTPException) as error:
                refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if refused or pause is None:
                    raise
            if self._ended.wait(pause):
                raise ConnectionError("the agent is ending")
        raise AssertionError("not reached")

    def download(self, specification: dict[str, Any]) -> bytes:
        """The bundle, path style as for an address without a name. The ETag of the specification must be the object's."""
        where = specification["Revision"]["S3Revision"]
        content, etag = self.get_object(where["Bucket"], where["Key"], where.get("Version"))
        if where.get("ETag") and etag.strip('"') != where["ETag"].strip('"'):
            raise ValueError("expected deployment bundle's etag to match")
        (self._archives / specification["DeploymentId"]).write_bytes(content)
        return content

    def get_object(
        self, bucket: str, key: str, version: str | None = None, *, virtual: bool = False, **headers: str
    ) -> tuple[bytes, str]:
        query = f"?versionId={urllib.parse.quote(version)}" if version else ""
        path = ("/" if virtual else f"/{bucket}/") + urllib.parse.quote(key, safe="/-_.~")
        if virtual:
            headers["Host"] = f"{bucket}.{urllib.parse.urlsplit(self.url).netloc}"
        try:
            content, answered = self._answer(
                lambda: self._signed("GET", self.url + path + query, headers, b"", s3=True)
            )
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            code, said = re.search(r"<Code>(.*)</Code><Message>(.*)</Message>", text) or ("", text), text
            raise ClientError(error.code, code[1], said) from None
        return content, answered["ETag"]

    def _signed(
        self, method: str, url: str, headers: dict[str, str], body: bytes, *, s3: bool = False
    ) -> urllib.request.Request:
        request = AWSRequest(method, url, headers=headers, data=body)
        signer = (
            S3SigV4Auth(self._credentials, "s3", "us-east-1")
            if s3
            else SigV4Auth(self._credentials, self._service, "us-east-1")
        )
        signer.add_auth(request)
        sent = dict(request.headers.items())
        return urllib.request.Request(url, body if method == "POST" else None, sent, method=method)


def content_of(pem: str) -> bytes:
    """The content of a PKCS7 message. 1.8 asks OpenSSL for it and ignores what that says of the signature."""
    from cryptography.hazmat.primitives.serialization import pkcs7

    der = base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))
    assert pkcs7.load_der_pkcs7_certificates(der), "no certificate is embedded"
    return _octets(der)


def _octets(der: bytes) -> bytes:
    """The octet string of id-data in a SignedData: ContentInfo > [0] > SignedData > (version, digests, content)."""
    signed = _parts(_parts(_parts(der)[0][1])[1][1])[0][1]
    content = _parts(_parts(signed)[2][1])
    return _parts(content[1][1])[0][1]


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand in *der*, one after the other: tag and content."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        found.append((tag, der[at : at + length]))
        at += length
    return found
