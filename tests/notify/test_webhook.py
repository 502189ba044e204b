"""Webhooks against real servers: what arrives, and what is made of every kind of answer."""

import datetime as dt
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.outbox_store import NOON, message
from receiver import Receiver, running_receiver, running_talker

from runner.config import NotifierConfig
from runner.errors import UserError, WorldError
from runner.log import Secret
from runner.notify import webhook as room
from runner.notify.webhook import Webhook, signature


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def webhook(url: str, secret: str | None = None, **settings: Any) -> Webhook:
    return Webhook(NotifierConfig(name="ops", url=url, secret=secret), clock=lambda: NOON, **settings)


def failure(url: str, **settings: Any) -> WorldError:
    with pytest.raises(WorldError) as caught:
        webhook(url, **settings).send(message(17))
    return caught.value


def test_the_request_is_as_documented(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SECRET", "open sesame")
    webhook(f"{receiver.url}/hooks?a=b", "env:OPS_SECRET").send(message(17, event="DeploymentFailure"))
    (request,) = receiver.received
    assert request.path == "/hooks?a=b"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Penstock-Event"] == "DeploymentFailure"
    assert request.headers["X-Penstock-Delivery"] == "17"
    expected = hmac.new(b"open sesame", request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert json.loads(request.body) == {
        "id": 17,
        "event": "DeploymentFailure",
        "subject": "CREATED: AWS CodeDeploy d-AB12CD34E in penstock to shop",
        "sentAt": "2030-01-01T12:00:00Z",
        "deploymentId": "d-AB12CD34E",
        "completeTime": None,
        "status": "CREATED",
    }


def test_the_signature_is_githubs() -> None:
    # The example of GitHub's own documentation, "Validating webhook deliveries".
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(Secret("It's a Secret to Everybody"), b"Hello, World!") == expected


def test_without_a_secret_there_is_no_signature(receiver: Receiver) -> None:
    webhook(receiver.url).send(message(17))
    assert "X-Hub-Signature-256" not in receiver.received[0].headers


def test_a_secret_is_looked_up_at_each_send_and_never_shown(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    ops = webhook(receiver.url, f"file:{file}")
    with pytest.raises(WorldError, match="webhook ops: the secret") as caught:
        ops.send(message(17))
    assert caught.value.retryable  # whoever mounts it late finds the message still waiting
    assert not receiver.received
    file.write_text("first")
    ops.send(message(17))
    file.write_text("second")
    ops.send(message(17))
    signatures = [each.headers["X-Hub-Signature-256"] for each in receiver.received]
    assert signatures == [signature(Secret(text), receiver.received[0].body) for text in ("first", "second")]
    receiver.answers = [500]
    with pytest.raises(WorldError) as caught:
        ops.send(message(17))
    assert "second" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_answer_of_success_is_one(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    webhook(receiver.url).send(message(17))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_answers_that_say_later_are_retryable(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    error = failure(receiver.url)
    assert error.retryable
    assert str(error) == f"webhook ops at 127.0.0.1 answered {status}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_answers_that_say_never_are_not(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    assert not failure(receiver.url).retryable


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [status, 200]
    error = failure(receiver.url)
    assert not error.retryable
    assert "redirects are not followed" in str(error)
    assert [each.path for each in receiver.received] == ["/"]


def test_a_server_that_is_not_there_is_retryable_and_its_url_is_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"http://somebody:password@127.0.0.1:{port}/services/token?key=value")
    assert error.retryable
    assert str(error) == "webhook ops at 127.0.0.1 could not be reached: [Errno 111] Connection refused"


def test_credentials_in_the_url_are_used(receiver: Receiver) -> None:
    webhook(receiver.url.replace("//", "//some%40body:pass%20word@")).send(message(17))
    assert receiver.received[0].headers["authorization"] == "Basic c29tZUBib2R5OnBhc3Mgd29yZA=="


def test_a_name_that_nobody_knows_is_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure("http://hooks.example.com/")
    assert error.retryable
    assert "Name or service not known" in str(error)


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "http://", "http://[::1/", ""])
def test_a_url_that_is_none_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UserError, match="notifier ops is not an http or https URL"):
        webhook(url).send(message(17))


def hang(connected: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def drip_a_status(connected: socket.socket, over: threading.Event) -> None:
    connected.sendall(b"HTTP/1.1")
    while not over.wait(0.02):
        connected.sendall(b" ")


def drip_headers(connected: socket.socket, over: threading.Event) -> None:
    connected.sendall(b"HTTP/1.1 500 Oh\r\n")
    while not over.wait(0.02):
        connected.sendall(b"X-More: of this\r\n")


def drip_a_handshake(connected: socket.socket, over: threading.Event) -> None:
    connected.recv(1)
    connected.sendall(b"\x16\x03\x03\x3f\xff")  # a handshake record of 16 KiB, slowly
    while not over.wait(0.02):
        connected.sendall(b"\x00")


def hang_up(connected: socket.socket, over: threading.Event) -> None:
    connected.recv(1)


def talk_nonsense(connected: socket.socket, over: threading.Event) -> None:
    connected.recv(65536)
    connected.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    over.wait(20)


@pytest.mark.parametrize("say", [hang, drip_a_status, drip_headers, drip_a_handshake, hang_up, talk_nonsense])
def test_a_server_that_never_answers_well_is_given_up_in_time(
    say: Callable[[socket.socket, threading.Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECT", 0.2)
    monkeypatch.setattr(room, "TOTAL", 0.4)
    with running_talker(say) as url:
        begun = time.monotonic()
        error = failure(url.replace("http:", "https:") if say is drip_a_handshake else url)
        assert time.monotonic() - begun < 10
    assert error.retryable


def test_the_bounds_keep_the_ports_promise() -> None:
    assert room.CONNECT < room.TOTAL < 10


def test_a_long_answer_is_not_waited_for() -> None:
    def say(connected: socket.socket, over: threading.Event) -> None:
        connected.recv(65536)
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nso")
        over.wait(20)

    with running_talker(say) as url:
        webhook(url).send(message(17))


METADATA = (
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",  # the same, as one number
    "http://0xa9fea9fe/",
    "https://[::ffff:169.254.169.254]/",
    "http://[fe80::1]/",
)


@pytest.mark.parametrize("url", METADATA)
def test_metadata_addresses_are_refused_in_every_notation(url: str) -> None:
    with pytest.raises(UserError, match="metadata services answer there"):
        webhook(url).send(message(17))


def test_a_name_that_leads_to_a_metadata_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when only one of several addresses is: the first may be a decoy."""

    def lead_astray(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("127.0.0.1", "169.254.169.254")]

    monkeypatch.setattr(socket, "getaddrinfo", lead_astray)
    with pytest.raises(UserError, match=r"hooks\.example\.com has the address 169\.254\.169\.254"):
        webhook("http://hooks.example.com/").send(message(17))


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, list[str]()

    def once_here(host: str, *arguments: Any, **settings: Any) -> list[Any]:
        if host == "hooks.example.com":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *arguments, **settings)
        return real(host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", once_here)
    webhook(receiver.url.replace("127.0.0.1", "hooks.example.com")).send(message(17))
    assert receiver.received[0].headers["Host"].startswith("hooks.example.com:")
    assert len(asked) == 1


def test_link_local_addresses_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(place: tuple[str, int], **_: Any) -> socket.socket:
        raise ConnectionRefusedError(f"{place[0]} was tried")

    monkeypatch.setattr(socket, "create_connection", refuse)
    error = failure("http://169.254.169.254/", allow_link_local=True)
    assert "169.254.169.254 was tried" in str(error)


def test_a_second_address_is_tried_when_the_first_does_not_answer(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def two(host: str, *arguments: Any, **settings: Any) -> list[Any]:
        if host == "hooks.example.com":
            return [*real("127.0.0.2", *arguments, **settings), *real("127.0.0.1", *arguments, **settings)]
        return real(host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    webhook(receiver.url.replace("127.0.0.1", "hooks.example.com")).send(message(17))
    assert len(receiver.received) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    import ipaddress

    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def served_with(certificate: Path) -> Callable[[socket.socket], socket.socket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return lambda listening: context.wrap_socket(listening, server_side=True)


def test_tls_is_verified(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_receiver(wrap=served_with(certificate)) as receiver:
        error = failure(f"{receiver.url}/token")
        assert error.retryable  # certificates are renewed
        assert "certificate verify failed" in str(error)
        assert "token" not in str(error)
        assert not receiver.received
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        webhook(receiver.url).send(message(17))
        assert len(receiver.received) == 1
