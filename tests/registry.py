"""A real container registry on loopback, Debian's docker-registry, and images in it; open, or with tokens.

with running_registry(tmp_path) as registry:        # registry.address == "127.0.0.1:43211"
    digest = registry.push("shop/api", "1.0")
"""

import base64
import contextlib
import datetime as dt
import hashlib
import json
import re
import secrets
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

CONFIGURATION = """\
version: 0.1
log: {level: info, formatter: text, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: FOLDER/images}}
http: {addr: "127.0.0.1:0"}
"""
_LISTENS = re.compile(r"listening on (127\.0\.0\.1:\d+)")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """*tokens*: without it anybody may pull and push."""

    def __init__(self, folder: Path, tokens: "Tokens | None" = None) -> None:
        program = shutil.which("docker-registry")
        assert program, "the Debian package docker-registry is needed"
        self.tokens = tokens
        file, self._log = folder / "registry.yml", folder / "registry.log"
        file.write_text(CONFIGURATION.replace("FOLDER", str(folder)) + (tokens.configuration() if tokens else ""))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.address = self._address()

    def push(self, repository: str, tag: str) -> str:
        """A new image of no layers; returns its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "nonce": secrets.token_hex(8)}).encode()
        blob = f"sha256:{hashlib.sha256(config).hexdigest()}"
        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/", b"", repository)
        place = begun.headers["Location"]
        self._ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={blob}", config, repository)
        kind = "application/vnd.oci.image.config.v1+json"
        described = {"mediaType": kind, "size": len(config), "digest": blob}
        image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
        done = self._ask("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(image).encode(), repository, MANIFEST)
        return str(done.headers["Docker-Content-Digest"])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ask(self, method: str, path: str, body: bytes, repository: str, kind: str = "application/octet-stream") -> Any:
        headers = {"Content-Type": kind}
        if self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens.token(repository, ['pull', 'push'])}"
        url = urljoin(f"http://{self.address}", path)
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer

    def _address(self) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if found := _LISTENS.search(self._log.read_text()):
                return found[1]
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"docker-registry does not listen: {self._log.read_text()}")


class Tokens:
    """Hands out tokens to anybody for the repositories in *readable*, as registries for public images do; for all of them
    to whoever knows `ada`'s password, "s3cret:Word"."""

    def __init__(self, folder: Path, readable: frozenset[str]) -> None:
        self.readable, self.asked = readable, list[dict[str, list[str]]]()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._certificate = _self_signed(self._key)
        self._bundle = folder / "tokens.pem"
        self._bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"

    def configuration(self) -> str:
        told = {"realm": self.realm, "service": "tests", "issuer": "tests", "rootcertbundle": str(self._bundle)}
        return f"auth: {json.dumps({'token': told})}\n"

    def token(self, repository: str, actions: list[str]) -> str:
        now = int(time.time())
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        access = [{"type": "repository", "name": repository, "actions": actions}] if actions else []
        times = {"iat": now - 10, "nbf": now - 10, "exp": now + 300}
        body = {"iss": "tests", "sub": "", "aud": "tests", "jti": secrets.token_hex(8), "access": access, **times}
        signed = ".".join(_plain(json.dumps(part).encode()) for part in (head, body))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_plain(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                tokens.asked.append(query)
                repository = query["scope"][0].split(":")[1]
                known = self.headers.get("Authorization") == f"Basic {base64.b64encode(b'ada:s3cret:Word').decode()}"
                made = tokens.token(repository, ["pull"] if known or repository in tokens.readable else [])
                body = json.dumps({"token": made}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    registry = Registry(folder)
    try:
        yield registry
    finally:
        registry.stop()


@contextlib.contextmanager
def running_registry_with_tokens(folder: Path, *readable: str) -> Iterator[Registry]:
    """Anybody gets a token to pull the *readable* repositories."""
    tokens = Tokens(folder, frozenset(readable))
    thread = threading.Thread(target=tokens.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        registry = Registry(folder, tokens)
        try:
            yield registry
        finally:
            registry.stop()
    finally:
        tokens.server.shutdown()
        tokens.server.server_close()
        thread.join()


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")]), dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
