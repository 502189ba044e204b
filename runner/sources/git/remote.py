"""The other side: connecting to a git server, proving who we are, and saying clearly what went wrong.

Host keys are checked against `~/.ssh/known_hosts`, certificates against the system's and the repository's `ca_file`.
"""

import getpass
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType, Option

from runner import config as configuration
from runner.config import Credentials, RepositoryConfig
from runner.errors import RunnerError, WorldError
from runner.sources.git.tokens import USER, Login, tokens

CONNECT_WITHIN = 10.0  # seconds
ANSWER_WITHIN = 60.0  # seconds of silence in which a server may think
DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")

_Credential: TypeAlias = pygit2.Username | pygit2.UserPass | pygit2.Keypair
_Offer: TypeAlias = tuple[str, _Credential]
_Trouble: TypeAlias = Callable[[str], WorldError]

_prepared = threading.Lock()
_trusted: set[str] = set()


class Remote:
    """One repository elsewhere. Nothing about it, and no secret, is written into the mirror.

    *login*: where a token is to be had, for a repository without `credentials`.
    """

    def __init__(self, config: RepositoryConfig, login: Login | None = None) -> None:
        self._config, self._login = config, login
        self.shown_url = redacted(config.url)

    def connect(self, mirror: pygit2.Repository) -> pygit2.Remote:
        """A connection on which `heads` and `fetch` work. Raises `WorldError`."""
        _prepare(self._config.ca_file)
        try:
            remote = mirror.remotes.create_anonymous(self._config.url)
            remote.connect(callbacks=self._callbacks(), proxy=True)
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise self.error(error) from error
        return remote

    def heads(self, remote: pygit2.Remote) -> list[tuple[str, str]]:
        """Branches and tags as the server names them: full ref name and commit ID; an annotated tag's is its commit's."""
        return [each for each in self.refs(remote) if each[0].startswith(("refs/heads/", "refs/tags/"))]

    def refs(self, remote: pygit2.Remote) -> list[tuple[str, str]]:
        """Likewise all of them: forges keep the commits of pull requests under names of their own."""
        try:
            listed = [(head.name or "", str(head.oid)) for head in remote.list_heads(connect=False)]
        except (pygit2.GitError, ValueError) as error:
            raise self.error(error) from error
        peeled = {name.removesuffix("^{}"): object_id for name, object_id in listed if name.endswith("^{}")}
        wanted = ((name, own) for name, own in listed if name.startswith("refs/") and not name.endswith("^{}"))
        return [(name, peeled.get(name, own)) for name, own in wanted]

    def fetch(self, remote: pygit2.Remote, refspecs: list[str], *, depth: int = 0) -> None:
        """Bring *refspecs*. *depth*: how many commits of each history; 0: all of them.

        Lets pygit2's errors through: the caller knows what it tried, and asks `error`.
        """
        remote.fetch(refspecs, callbacks=self._callbacks(), proxy=True, depth=depth)

    def error(self, error: Exception) -> RunnerError:
        """What libgit2 said, for a person."""
        if isinstance(error, RunnerError):
            return error
        said = redacted(str(error).strip())
        if gone := self._gone_folder():
            return self._trouble(gone)
        for pattern, why in _MEANINGS:
            if re.search(pattern, said):
                return self._trouble(f"{why} (libgit2 says: {said})", retryable=why is not _UNSUPPORTED)
        return self._trouble(said)

    def _gone_folder(self) -> str | None:
        folder = self._config.url.removeprefix("file://")
        if "://" in folder or not folder.startswith("/") or Path(folder).exists():
            return None
        return "there is no such folder; was the repository moved?"

    def _trouble(self, why: str, *, retryable: bool = True) -> WorldError:
        return WorldError(f"repository {self._config.name} at {self.shown_url}: {why}", retryable=retryable)

    def _callbacks(self) -> "_Callbacks":
        return _Callbacks(self._config, self._trouble, self._login)


class _Callbacks(pygit2.RemoteCallbacks):
    """What libgit2 asks back, for one operation."""

    def __init__(self, config: RepositoryConfig, trouble: _Trouble, login: Login | None = None) -> None:
        super().__init__()
        self._login = login
        self._own = config.credentials or Credentials()
        self._url = config.url
        self._trouble = trouble
        self._offers: Iterator[_Offer] | None = None
        self._offered: list[str] = []

    def credentials(self, url: str, username_from_url: str | None, allowed_types: CredentialType) -> _Credential:
        """The next thing to try. libgit2 asks again when one was refused; unanswered it would ask for ever."""
        self._refuse_strangers(url)
        user = username_from_url or self._own.username or _own_name()
        if allowed_types == CredentialType.USERNAME:
            return pygit2.Username(user)
        if self._offers is None:
            self._offers = self._all_offers(user, allowed_types)
        for described, credential in self._offers:
            self._offered.append(described)
            return credential
        raise self._refused()

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:
        """Never let a stranger in: pygit2's own default lets every ssh host key pass."""
        if valid:
            return True
        name = host.decode(errors="replace")
        raise self._trouble(_unknown_host_key(self._url, name) if _is_ssh(self._url) else untrusted(name))

    def _refuse_strangers(self, url: str) -> None:
        """libgit2 follows a redirection to another server and would give that one our password."""
        if _is_ssh(self._url):
            return
        asked, own = urlsplit(url), urlsplit(self._url)
        upgraded = asked.hostname == own.hostname and (own.scheme, asked.scheme) == ("http", "https")
        if (asked.scheme, asked.hostname, asked.port) != (own.scheme, own.hostname, own.port) and not upgraded:
            raise self._trouble(
                f"redirected to {redacted(url)}, which asks who we are; if you trust it, configure that address instead"
            )

    def _all_offers(self, user: str, allowed: CredentialType) -> Iterator[_Offer]:
        own = self._own
        if allowed & CredentialType.USERPASS_PLAINTEXT and self._login:
            for described, token in tokens(self._login):
                yield described, pygit2.UserPass(USER, token.reveal())
        elif allowed & CredentialType.USERPASS_PLAINTEXT and own.password:
            password = configuration.secret(own.password).reveal()
            yield f"the password of {user!r}", pygit2.UserPass(own.username or user, password)
        if allowed & CredentialType.SSH_KEY:
            yield from self._keys(user)

    def _keys(self, user: str) -> Iterator[_Offer]:
        own = self._own
        if own.private_key:
            phrase = configuration.secret(own.private_key_passphrase).reveal() if own.private_key_passphrase else ""
            yield self._key(user, Path(own.private_key).expanduser(), phrase)
            return
        if os.environ.get("SSH_AUTH_SOCK"):
            yield "the ssh agent's keys", pygit2.KeypairFromAgent(user)
        for name in DEFAULT_KEYS:
            if (path := Path("~/.ssh").expanduser() / name).exists():
                yield self._key(user, path, "")

    def _key(self, user: str, path: Path, passphrase: str) -> _Offer:
        if not os.access(path, os.R_OK):
            raise self._trouble(f"the private key {path} is missing or cannot be read")
        return f"the key {path}", pygit2.Keypair(user, None, str(path), passphrase)

    def _refused(self) -> WorldError:
        if "@" in urlsplit(self._url).netloc and not _is_ssh(self._url):
            self._offered.insert(0, "the user name and password in the address")
        if self._offered:
            return self._trouble(f"access refused; tried {', '.join(self._offered)}")
        return self._trouble(NOBODY)


def redacted(text: str) -> str:
    """*text* without the passwords in URLs; of web addresses without the user names too, for they may be tokens."""
    text = re.sub(r"(https?://)[^/\s]*@", r"\1***@", text)
    return re.sub(r"(://)[^/\s]*:[^/\s]*@", r"\1***@", text)


def _own_name() -> str:
    """As ssh has it. Containers often run as a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "git"


def _prepare(ca_file: str | None) -> None:
    """libgit2's settings are the process's; they are made once. A dead server must not hold a thread for ever."""
    with _prepared:
        pygit2.settings.server_connect_timeout = int(CONNECT_WITHIN * 1000)
        pygit2.settings.server_timeout = int(ANSWER_WITHIN * 1000)
        # git refuses other people's repositories because their configuration could name programs; libgit2 runs none
        pygit2.option(Option.SET_OWNER_VALIDATION, False)
        if ca_file and ca_file not in _trusted:
            _trust(ca_file)


def _trust(ca_file: str) -> None:
    """Adds to what is trusted already; libgit2 has one list for the whole process, so it counts for every repository."""
    try:
        pygit2.settings.set_ssl_cert_locations(ca_file, None)
    except pygit2.GitError as error:
        raise unreadable_certificates(ca_file, error) from error
    _trusted.add(ca_file)


def _is_ssh(url: str) -> bool:
    return url.startswith(("ssh://", "ssh+git://", "git+ssh://")) or "://" not in url


def _unknown_host_key(url: str, host: str) -> str:
    port = urlsplit(url).port if "://" in url else None
    scan, name = (f"ssh-keyscan -p {port} {host}", f"[{host}]:{port}") if port else (f"ssh-keyscan {host}", host)
    return (
        f"the host key of {host} is not the one that ~/.ssh/known_hosts has, or none is there. If the host is new, add its "
        f"key with `{scan} >> ~/.ssh/known_hosts` and compare the fingerprint with its owner's. If it was there before, "
        f"somebody may be listening in; only if its owner says that it changed, `ssh-keygen -R '{name}'` first"
    )


def unreadable_certificates(ca_file: str, error: Exception) -> WorldError:
    return WorldError(f"cannot read the certificates of ca_file {ca_file}: {error}", retryable=False)


def untrusted(host: str) -> str:
    return f"the certificate of {host} is not trusted; if an authority of your own signed it, name that in `ca_file`"


_UNSUPPORTED = "this kind of address is not supported; use https://, ssh:// or a path"
REFUSED = "access refused; check the repository's `credentials`"
NOBODY = "asks who we are, and nothing to answer is configured (`credentials` of the repository)"
NONE_THERE = "no repository is there"
UNRESOLVED = "the host's name cannot be resolved"
NOT_LISTENING = "nothing listens there; is the server down?"
SILENT = "no answer in time; is the server overloaded, or a firewall in between?"

_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"No space left|Disk quota exceeded", "no space left on the disk of the state folder"),
    (r"status code: 40[13]|authentication|Authentication|too many redirects", REFUSED),
    (r"extract public key|private key", "the private key cannot be used; is it a key, and its passphrase right?"),
    (r"status code: 404|[Nn]ot found|does not appear to be a git|could not find repository", NONE_THERE),
    (r"status code: 5\d\d", "the server is in trouble"),
    (r"failed to resolve address", UNRESOLVED),
    (r"[Tt]imed out|temporarily unavailable", SILENT),
    (r"Connection refused", NOT_LISTENING),
    (r"SSL|certificate", "TLS failed"),
    (r"unsupported URL protocol|invalid argument: 'port'|empty URL", _UNSUPPORTED),
)
