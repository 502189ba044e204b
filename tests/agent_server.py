"""A small server of the agents' protocol, in a thread of the tests: says what it was asked, and misbehaves when told to.

It hands every command out once, again when nobody acknowledges it; the first Complete wins; a succeeded event brings
the next one. Signatures are checked by botocore's own signer. It is no part of the product, and knows none of its code.
"""

import base64
import contextlib
import hashlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
REGION = "eu-west-7"
AGAIN = 1.0  # seconds without an acknowledgement until a command is handed out once more


@dataclass
class Event:
    """One lifecycle event of one deployment on one host, as the server sees it."""

    deployment: str
    host: str
    name: str
    attempt: int = 1
    handed_out: list[float] = field(default_factory=list)
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    completes: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    offset: int = 0
    ended_at: float = 0.0

    @property
    def succeeded(self) -> bool:
        return bool(self.completes) and self.completes[0]["status"] == "Succeeded"

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Of the first Complete."""
        return dict(self.completes[0]["diagnostics"])

    def identifier(self) -> str:
        names = {"deployment": self.deployment, "event": self.name, "attempt": self.attempt, "n": len(self.handed_out)}
        return base64.b64encode(json.dumps({**names, "host": self.host}).encode()).decode()


class AgentServer:
    """*hold*: seconds for which a poll is held. *tls*: serve over that.

    *fault*: asked before each operation what goes wrong with it, see `_Handler`; None for nothing.
    """

    def __init__(self, hold: float = 60.0, tls: ssl.SSLContext | None = None) -> None:
        self.hold, self._tls = hold, tls
        self.keys: dict[str, tuple[str, str]] = {}  # access key ID: secret and host
        self.tokens: dict[str, str] = {}  # first part: host
        self.events: list[Event] = []
        self.specifications: dict[str, dict[str, Any]] = {}  # by deployment: content
        self.bundles: dict[str, Path] = {}  # by key
        self.asked: list[tuple[str, dict[str, Any]]] = []  # operation and parameters
        self.ranges: list[str | None] = []  # the header Range of every request for a bundle
        self.serves_ranges = True
        self.holds_bundle_at: int | None = None  # bytes after which it waits for `let_go`
        self.let_go = threading.Event()
        self.loses_output = 0  # updates at which all output of the event is forgotten
        self.breaks_after: list[int] = []  # bytes of a bundle after which the connection breaks, once each
        self.fault: Callable[[str], str | None] = lambda operation: None
        self.mutate: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer  # of a specification
        self.changed = threading.Condition()
        self.closing = False
        self.polls = 0  # that are held now
        self._waiting: list[Event] = []
        self.connections: set[socket.socket] = set()  # that are open
        self.connected = 0  # connections so far
        self._http: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve on the port of before, if there was one."""
        made = type("Handler", (_Handler,), {"owner": self})
        ThreadingHTTPServer.allow_reuse_address = True
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), made)
        self._http.daemon_threads = True
        if self._tls:
            self._http.socket = self._tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._http.server_port
        self.closing = False
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """No more connections, and those that are open break."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def add_key(self, host: str, access_key_id: str = "PKAGENT", secret: str = "secret of the agent") -> None:
        self.keys[access_key_id] = secret, host

    def deploy(
        self,
        host: str,
        request: Mapping[str, Any],
        bundle: Path | None,
        events: Sequence[str],
        *,
        attempt: int = 1,
        key: str = "",
    ) -> list[Event]:
        """Have *events* carried out on *host*, one after the other until one fails. Returns them, as they will end."""
        deployment = request["deployment"]
        ours: dict[str, Any] = {"host": host, "request": dict(request), "events": list(events)}
        if bundle is not None:
            raw = bundle.stat().st_size
            digest = request["bundle"]["sha256"]
            key = key or f"{digest}.{request['bundle']['type']}"
            self.bundles[key] = bundle
            ours["bundle"] = {"Bucket": "penstock_bundles", "Key": key, "sha256": digest, "size": raw}
        self.specifications[deployment] = {"DeploymentId": deployment, "Penstock": ours}
        made = [Event(deployment, host, name, attempt) for name in events]
        with self.changed:
            self.events += made
            self._waiting.append(made[0])
            self.changed.notify_all()
        return made

    def execution_id(self, deployment: str) -> str:
        return f"CodeDeploy/{REGION}/Prod/arn:aws:codedeploy:{REGION}:000000000000:deployment/{deployment}"

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)

    # what the handler asks

    def poll(self, host: str, is_there: Callable[[], bool]) -> dict[str, Any]:
        end = time.monotonic() + self.hold
        with self.changed:
            self.polls += 1
            try:
                while not self.closing and time.monotonic() < end and is_there():
                    if (event := self._next(host)) is not None:
                        event.handed_out.append(time.monotonic())
                        return {
                            "HostCommand": {
                                "HostCommandIdentifier": event.identifier(),
                                "HostIdentifier": host,
                                "DeploymentExecutionId": self.execution_id(event.deployment),
                                "CommandName": event.name,
                                "Nonce": str(event.attempt),
                            }
                        }
                    self.changed.wait(0.05)
            finally:
                self.polls -= 1
        return {}

    def _next(self, host: str) -> Event | None:
        for event in self._waiting:
            if event.host != host or event.completes or event.acknowledged:
                continue
            if not event.handed_out or time.monotonic() - event.handed_out[-1] > AGAIN:
                return event
        return None

    def specification(self, asked: dict[str, Any]) -> dict[str, Any]:
        content = self.specifications.get(asked["DeploymentExecutionId"].rpartition("/")[2])
        if content is None:
            raise Refusal(400, "ClientException", "there is no such deployment")
        return self.mutate(signed(content))

    def acknowledge(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self.changed:
            event = self._found(asked)
            if asked["HostCommandIdentifier"] != event.identifier() or event.completes:
                return {"CommandStatus": "Failed"}
            event.acknowledged.append(json.loads(asked["Diagnostics"]["Payload"]))
        return {"CommandStatus": "InProgress"}

    def update(self, asked: dict[str, Any]) -> dict[str, Any]:
        payload = json.loads(asked["Diagnostics"]["Payload"])
        with self.changed:
            event = self._found(asked)
            if self.loses_output and payload["log"]:
                self.loses_output -= 1
                event.log, event.offset = "", 0
            elif payload["from"] == event.offset < payload["offset"]:
                event.log += payload["log"]
                event.offset = payload["offset"]
            return {"CommandStatus": "Succeeded" if event.completes else "InProgress", "Offset": event.offset}

    def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        diagnostics = json.loads(asked["Diagnostics"]["Payload"])
        with self.changed:
            event = self._found(asked)
            event.completes.append({"status": asked["CommandStatus"], "diagnostics": diagnostics})
            if len(event.completes) == 1:
                event.ended_at = time.monotonic()
                self._waiting.remove(event)
                of_deployment = [each for each in self.events if each.deployment == event.deployment]
                rest = of_deployment[of_deployment.index(event) + 1 :]
                if event.succeeded and rest:
                    self._waiting.append(rest[0])
                self.changed.notify_all()
        return {}

    def _found(self, asked: dict[str, Any]) -> Event:
        names = json.loads(base64.b64decode(asked["HostCommandIdentifier"]))
        for event in self.events:
            if (event.deployment, event.name, event.attempt) == (names["deployment"], names["event"], names["attempt"]):
                return event
        raise Refusal(400, "ClientException", "there is no such command")

    def enrol(self, asked: dict[str, Any]) -> dict[str, Any]:
        host = self.tokens.pop(str(asked.get("token")).partition(".")[0], None)
        if host is None:
            raise Refusal(400, "InvalidTokenException", "the token is unknown, used or too old")
        self.add_key(host, "PKENROLLED", "secret of an enrolment")
        secret, _ = self.keys["PKENROLLED"]
        return {
            "host": host,
            "access_key_id": "PKENROLLED",
            "secret_access_key": secret,
            "region": REGION,
            "signing_key": public_key(),
        }


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message


def public_key() -> dict[str, Any]:
    numbers = KEY.public_key().public_numbers()
    return {"n": f"{numbers.n:x}", "e": numbers.e}


def token_for(server: AgentServer, host: str, secret: str = "aGVsbG8") -> str:
    numbers = KEY.public_key().public_numbers()
    server.tokens[secret] = host
    return f"{secret}." + hashlib.sha256(f"{numbers.n:x}:{numbers.e}".encode()).hexdigest()[:32]


def signed(content: dict[str, Any], key: rsa.RSAPrivateKey = KEY) -> dict[str, Any]:
    """The answer to GetDeploymentSpecification."""
    text = json.dumps(content)
    signature = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    payload = json.dumps({"content": text, "signature": signature})
    return {
        "DeploymentSystem": "CodeDeploy",
        "DeploymentSpecification": {
            "GenericEnvelope": {"Format": "PKCS7/JSON", "Payload": "-----BEGIN PKCS7-----"},
            "VariantId": "penstock",
            "VariantEnvelope": {"Format": "RSA-SHA256/JSON", "Payload": payload},
        },
    }


class _Handler(BaseHTTPRequestHandler):
    """*fault* of the owner may say `403`, `404`, `500`, `503`, `throttled`; or `drop`: hang up instead of doing anything;
    or `mute`: do it, and hang up instead of answering.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one segment
    disable_nagle_algorithm = True
    owner: AgentServer

    def setup(self) -> None:
        super().setup()
        self.owner.connections.add(self.connection)
        self.owner.connected += 1

    def finish(self) -> None:
        self.owner.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # TLS's errors too
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/enrol":
            self._answer("enrol", lambda: self.owner.enrol(json.loads(body)))
            return
        operation = self.headers["X-Amz-Target"].removeprefix("CodeDeployCommandService_v20141006.")
        self._answer(operation, lambda: self._do(operation, body))

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(200, b"Penstock\n")
        else:
            self._answer("GetObject", self._bundle)

    def _do(self, operation: str, body: bytes) -> dict[str, Any]:
        host = self._identify(body, "codedeploy-commands")
        asked = json.loads(body)
        self.owner.asked.append((operation, asked))
        if operation == "PollHostCommand":
            if asked["HostIdentifier"] != host:
                raise Refusal(403, "AccessDeniedException", "that is the key of another host")
            return self.owner.poll(host, self._is_there)
        does = {
            "GetDeploymentSpecification": self.owner.specification,
            "PutHostCommandAcknowledgement": self.owner.acknowledge,
            "PutHostCommandComplete": self.owner.complete,
            "PostHostCommandUpdate": self.owner.update,
        }
        return does[operation](asked)

    def _is_there(self) -> bool:
        """Whether the client has not hung up: it says nothing while it waits."""
        poller = select.poll()
        poller.register(self.connection, select.POLLRDHUP)
        return not poller.poll(0)

    def _bundle(self) -> None:
        self._identify(b"", "s3")
        parts = urlsplit(self.path)
        assert parts.path.startswith("/penstock_bundles/"), parts.path
        path = self.owner.bundles[unquote(parts.path.removeprefix("/penstock_bundles/"))]
        asked = self.headers.get("Range")
        self.owner.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.owner.serves_ranges else 0
        size = path.stat().st_size
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        most = self.owner.breaks_after.pop(0) if self.owner.breaks_after else size
        if (held := self.owner.holds_bundle_at) is not None and not start:
            with path.open("rb") as file:
                self.wfile.write(file.read(held))
            self.wfile.flush()
            self.owner.let_go.wait(30)
            self.close_connection = True
            return
        with path.open("rb") as file:
            file.seek(start)
            while most > 0 and (piece := file.read(min(most, 1 << 18))):
                self.wfile.write(piece)
                most -= len(piece)
        self.close_connection = True
        self.wfile.flush()

    def _answer(self, operation: str, do: Callable[[], dict[str, Any] | None]) -> None:
        fault = self.owner.fault(operation)
        if fault == "drop":
            self.close_connection = True
            return
        statuses = {
            "403": "UnrecognizedClientException",
            "404": "NoSuchKey",
            "500": "ServerException",
            "503": "ServiceUnavailableException",
        }
        try:
            if fault in statuses:
                raise Refusal(int(fault), statuses[fault], "as told")
            if fault == "throttled":
                raise Refusal(400, "ThrottlingException", "as told")
            answer = do()
        except Refusal as refusal:
            said = {"__type": refusal.code, "message": refusal.message}
            self._send(refusal.status, json.dumps(said).encode())
            return
        if fault == "mute":
            self.close_connection = True
        elif answer is not None:
            self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _identify(self, body: bytes, service: str) -> str:
        """The host whose key has signed this request."""
        given = dict(part.split("=", 1) for part in self.headers["Authorization"].split(" ", 1)[1].split(", "))
        access_key_id, _, region, named, _ = given["Credential"].split("/")
        if access_key_id not in self.owner.keys:
            raise Refusal(403, "UnrecognizedClientException", "the key is not known")
        secret, host = self.owner.keys[access_key_id]
        parts = urlsplit(self.path)
        request = AWSRequest(
            self.command,
            f"http://{self.headers['Host']}{parts.path}",
            headers={name: self.headers[name] for name in given["SignedHeaders"].split(";")},
            params={name: values[0] for name, values in parse_qs(parts.query).items()},
            data=body,
        )
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        signer = kind(Credentials(access_key_id, secret), named, region)
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if named != service or signer.signature(text, request) != given["Signature"]:
            raise Refusal(403, "InvalidSignatureException", "the signature is not right")
        return host

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def agent_server(hold: float = 60.0, tls: ssl.SSLContext | None = None) -> Iterator[AgentServer]:
    made = AgentServer(hold, tls)
    made.start()
    try:
        yield made
    finally:
        made.stop()
