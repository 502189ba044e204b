"""Which host keys are known: OpenSSH's known_hosts, read as OpenSSH does: names, patterns, hashed names, @revoked."""

import base64
import binascii
import enum
import functools
import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple

from runner.errors import WorldError

SYSTEM = "/etc/ssh/ssh_known_hosts"
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


class Entry(NamedTuple):
    """One line. *key*: as it goes over the wire. *marker*: `@revoked`, `@cert-authority` or empty."""

    file: str
    line: int
    marker: str
    names: str
    key: bytes

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


class Verdict(enum.Enum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


def files(own: str | None) -> tuple[str, ...]:
    """Those that are read: the user's, or *own* instead, and the system's."""
    return own or str(Path("~/.ssh/known_hosts").expanduser()), SYSTEM


def lookup_name(address: str, port: int) -> str:
    """What known_hosts calls a machine."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def entries_for(name: str, paths: Sequence[str]) -> list[Entry]:
    """All lines about *name*. Raises `WorldError` when a file cannot be read."""
    return [entry for path in paths for entry in _read(path) if _matches(entry.names, name)]


def judge(key: bytes, found: Sequence[Entry]) -> tuple[Verdict, list[Entry]]:
    """What the lines *found* about a machine say of *key*, and which of them say so."""
    same = [entry for entry in found if entry.key == key]
    if revoked := [entry for entry in same if entry.marker == "@revoked"]:
        return Verdict.REVOKED, revoked
    known = [entry for entry in found if not entry.marker]
    if agreeing := [entry for entry in known if entry.key == key]:
        return Verdict.KNOWN, agreeing
    return (Verdict.CHANGED, known) if known else (Verdict.UNKNOWN, [])


def algorithms(found: Sequence[Entry]) -> str:
    """Host key algorithms to ask for: first those of the keys that are known."""
    known = {kind(entry.key) for entry in found if not entry.marker}
    order = sorted(_ALGORITHMS, key=lambda name: name not in known)
    return ",".join(algorithm for name in order for algorithm in _ALGORITHMS[name])


def kind(key: bytes) -> str:
    """The type of a key: the first text inside it."""
    length = int.from_bytes(key[:4], "big")
    return key[4 : 4 + length].decode("ascii", "replace")


def fingerprint(key: bytes) -> str:
    """As OpenSSH shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def line_for(name: str, key: bytes) -> str:
    """A line that makes *key* known for *name*."""
    return f"{name} {kind(key)} {base64.b64encode(key).decode()}\n"


def add(path: str, line: str) -> None:
    """Append *line*. A folder and a file that are missing are made, for the user alone. Raises `WorldError`."""
    file = Path(path)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "rb+") as opened:
            text = opened.read()
            opened.write(("\n" if text and not text.endswith(b"\n") else "").encode() + line.encode())
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}", retryable=False) from error


def _read(path: str) -> tuple[Entry, ...]:
    try:
        state = Path(path).stat()
        return _parse(path, state.st_ino, state.st_mtime_ns, state.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise WorldError(f"{path} cannot be read: {error.strerror}", retryable=False) from error


@functools.lru_cache(maxsize=16)
def _parse(path: str, inode: int, changed: int, size: int) -> tuple[Entry, ...]:
    """*inode*, *changed*, *size*: so that a changed file is read anew."""
    return tuple(_entries(path, Path(path).read_text(encoding="utf-8", errors="replace")))


def _entries(path: str, text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            continue
        try:
            key = base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue  # OpenSSH passes over such a line as well
        yield Entry(path, number, marker, words[0], key)


def _matches(names: str, name: str) -> bool:
    """Whether the first field of a line means *name*; a pattern with `!` in front that fits rules the line out."""
    if names.startswith("|1|"):
        return _matches_hashed(names, name)
    fits = False
    for pattern in names.lower().split(","):
        if _fits(pattern.removeprefix("!"), name):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits


def _matches_hashed(names: str, name: str) -> bool:
    try:
        _, _, salt, digest = names.split("|")
        wanted = base64.b64decode(digest)
        return hmac.compare_digest(hmac.digest(base64.b64decode(salt), name.encode(), "sha1"), wanted)
    except (binascii.Error, ValueError):
        return False


def _fits(pattern: str, name: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern == name
    return _pattern(pattern).fullmatch(name) is not None


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text.replace("[", "[[]")))  # only * and ? are special; `[` belongs to [host]:port
