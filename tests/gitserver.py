"""Real git servers on loopback: smart HTTP(S) through `git http-backend`, and ssh through a real sshd.

    with http_server(folder) as server:      # every repository below folder, for reading
        clone(server.url + "/shop.git")
    with ssh_server(folder) as server:       # server.url, server.host_key, server.user_key

All bind 127.0.0.1 with a port that the kernel chooses, and end with their `with` block.
"""

import base64
import contextlib
import datetime as dt
import getpass
import gzip
import http.server
import ipaddress
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sshd import SSHD, inetd, new_key


def git(*arguments: str, cwd: Path, when: str | None = None) -> str:
    """Run git without anybody's own configuration; returns its output. *when*: the time of a commit."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_NAME": "Ada Example" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
        **({"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if when else {}),
    }
    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


class Origin:
    """A repository that people push to: a bare one at `path`, and a clone of it in which `commit` works."""

    def __init__(self, folder: Path, name: str = "shop") -> None:
        self.path, self.clone = folder / f"{name}.git", folder / f"{name}-clone"
        folder.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path), cwd=folder)
        git("clone", "--quiet", str(self.path), str(self.clone), cwd=folder)
        git("checkout", "--quiet", "-B", "main", cwd=self.clone)

    def commit(
        self,
        files: Mapping[str, str | bytes],
        message: str = "a change",
        *,
        branch: str = "main",
        when: str | None = None,
    ) -> str:
        """Write *files*, commit them on the clone's current branch, push that to *branch*; returns the commit ID."""
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        git("add", "--all", "--force", cwd=self.clone)
        git("commit", "--quiet", "--allow-empty", "--message", message, cwd=self.clone, when=when)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}", cwd=self.clone)
        return git("rev-parse", "HEAD", cwd=self.clone)


class Shop:
    """A repository `shop.git` with two commits, *first* and *second*, and a tag `v1` at the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = Origin(folder)
        self.first = self.origin.commit({"a": "1", "penstock.yaml": "application: shop"})
        self.second = self.origin.commit({"a": "2", "big": os.urandom(100_000)})
        git("tag", "--annotate", "--message=v1", "v1", self.first, cwd=self.origin.clone)
        git("push", "--quiet", "origin", "v1", cwd=self.origin.clone)
        self.heads = {"refs/heads/main": self.second, "refs/tags/v1": self.first}


@dataclass
class HttpServer:
    """A running server. *requests*: what it was asked, `METHOD PATH`, in order.

    *stop_after*: bytes of a pack after which it falls silent; `silent` is set then, and it goes on once `go_on` is.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    stop_after: int | None = None
    redirect_to: str | None = None  # send everybody there instead
    protocol_0: bool = False  # be a server that knows no later one
    authorizations: list[str] = field(default_factory=list)  # every secret that was shown to it
    silent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def http_server(
    root: Path, *, user: tuple[str, str] | None = None, certificate: tuple[Path, Path] | None = None
) -> Iterator[HttpServer]:
    """Serve the repositories below *root*. *user*: name and password to ask for. *certificate*: file and key, for https."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Bridge)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        # the handshake belongs to the connection's own thread: a client that refuses us must not stop the listener
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    running: Any = server
    running.root, running.user = root, user
    running.described = HttpServer(url=f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield running.described
    finally:
        running.described.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Bridge(http.server.BaseHTTPRequestHandler):
    """HTTP in, CGI out."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # a client that does not trust us; reading then sees the end
                self.request.do_handshake()
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server: Any = self.server
        server.described.requests.append(f"{self.command} {self.path}")
        if shown := self.headers.get("Authorization"):
            server.described.authorizations.append(shown)
        body = self._body()
        if server.described.redirect_to:
            self._send(301, [("Location", server.described.redirect_to + self.path)], b"")
            return
        if server.user and self.headers.get("Authorization") != _basic(*server.user):
            self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"who are you?")
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": "" if server.described.protocol_0 else self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._send(status, [(name, value) for name, value in headers if name != "Status"], content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, status: int, headers: list[Any], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        server: Any = self.server
        described: HttpServer = server.described
        if described.stop_after is not None and self.command == "POST":
            self.wfile.write(content[: described.stop_after])
            content = content[described.stop_after :]
            described.silent.set()
            described.go_on.wait(timeout=60)
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@dataclass
class Authority:
    """A certificate authority of our own, and a certificate for 127.0.0.1 that it signed."""

    ca_file: Path
    certificate: tuple[Path, Path]


def authority(folder: Path) -> Authority:
    """Make both, in *folder*."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.UTC)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def template(subject: str, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("test authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    def pem(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = template("test authority", root.public_key())
    own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = template("127.0.0.1", leaf.public_key())
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = signed.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    files = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    files[0].write_bytes(pem(own.sign(root, hashes.SHA256())))
    files[1].write_bytes(pem(signed.sign(root, hashes.SHA256())))
    files[2].write_bytes(
        leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Authority(ca_file=files[0], certificate=(files[1], files[2]))


@dataclass
class SshServer:
    """A running server. *url*: `ssh://USER@127.0.0.1:PORT`; *host_key*: its line for known_hosts; *user_key*: admitted."""

    url: str
    port: int
    host_key: str
    user_key: Path
    encrypted_key: Path  # admitted as well; its passphrase is PASSPHRASE
    strange_key: Path  # not admitted


PASSPHRASE = "correct horse"


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """A real sshd for the current user, by key only. *folder*: where its keys and its configuration go."""
    if not Path(SSHD).exists():
        raise RuntimeError(f"{SSHD} is missing; install the Debian package openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    keys = {name: new_key(folder / name) for name in ("host", "user", "strange")}
    keys["encrypted"] = new_key(folder / "encrypted", passphrase=PASSPHRASE)
    admitted = "".join(keys[name].with_suffix(".pub").read_text() for name in ("user", "encrypted"))
    (folder / "authorized_keys").write_text(admitted)
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"HostKey {keys['host']}\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        f"UsePAM {'yes' if os.geteuid() == 0 else 'no'}\nPrintMotd no\nLogLevel ERROR\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own privilege separation wants it
    with inetd(configuration, folder / "sshd.log") as (port, _):
        public = " ".join(keys["host"].with_suffix(".pub").read_text().split()[:2])
        yield SshServer(
            url=f"ssh://{getpass.getuser()}@127.0.0.1:{port}",
            port=port,
            host_key=f"[127.0.0.1]:{port} {public}\n",
            user_key=keys["user"],
            encrypted_key=keys["encrypted"],
            strange_key=keys["strange"],
        )
