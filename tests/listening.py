"""A listener on loopback in the test's own loop, and clients that are as rude as tests need them."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runner.api.serving.address import parse_address
from runner.api.serving.connection import Limits
from runner.api.serving.listener import listener
from runner.api.site import Mounts, Site
from runner.config import Listening, Tls

PATIENCE = 20.0  # seconds until a test gives up


@asynccontextmanager
async def listening(
    mounts: Mounts = Mounts(),  # noqa: B008 - a tuple
    *,
    health: Callable[[], dict[str, Any]] = lambda: {"status": "ok"},
    stopping: Callable[[], None] = lambda: None,
    limits: Limits = Limits(),  # noqa: B008 - a tuple
    **settings: Any,
) -> AsyncIterator[tuple[str, int]]:
    """Yields host and port; *settings* go to `Listening`."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    wanted = Listening(**{"address": "127.0.0.1:0", **settings})
    serving = asyncio.create_task(listener(wanted, Site(health, mounts), address.set_result, stopping, limits))
    try:
        await asyncio.wait({address, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield parse_address(address.result())
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class Client:
    """One connection that sends what it is told, and no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, and as much body as they promise."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        length = f"content-length: {len(body)}\r\n" if body else ""
        await self.send(f"{head} HTTP/1.1\r\nhost: x\r\n{length}\r\n".encode() + body)
        return await self.answer()

    def certificate(self) -> x509.Certificate:
        der = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der)

    def hang_up(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


@asynccontextmanager
async def client(address: tuple[str, int], context: ssl.SSLContext | None = None, **how: Any) -> AsyncIterator[Client]:
    made = Client(*await asyncio.open_connection(*address, ssl=context, **how))
    try:
        yield made
    finally:
        await made.close()


async def deaf(address: tuple[str, int], request: bytes) -> socket.socket:
    """A client that has sent *request*, and reads nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, address)
    await asyncio.get_running_loop().sock_sendall(made, request)
    return made


def make_certificate(folder: Path, name: str = "localhost", *, days: tuple[float, float] = (-1, 30)) -> Tls:
    """Self-signed for *name* and 127.0.0.1, valid from and until so many days from now."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = Tls(certificate=str(folder / "certificate.pem"), private_key=str(folder / "key.pem"))
    Path(files.certificate).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(files.private_key).write_bytes(private_pem(key))
    return files


def private_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def trusting(files: Tls) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=files.certificate)
