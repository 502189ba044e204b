"""Logging in by key: keys in files, and keys that an agent holds."""

import base64
import binascii
import os
from pathlib import Path
from typing import Any

from ssh2 import error_codes
from ssh2.exceptions import AgentConnectionError, AgentListIdentitiesError, SSH2Error

from runner.platforms.server.connection import Broken
from runner.platforms.server.ssh.endpoint import Endpoint
from runner.platforms.server.ssh.link import Link
from runner.platforms.server.ssh.trouble import Refused


async def log_in(link: Link, endpoint: Endpoint, timeout: float) -> None:
    """Log in as the endpoint's user. A file that somebody named goes first, then the agent, then the usual files.

    *timeout*: seconds for the agent, which may ask a person. Raises `Refused` with everything that was tried, `Broken`.
    """
    tried: list[str] = []
    for attempt in (_with_files, _with_agent) if endpoint.named else (_with_agent, _with_files):
        try:
            if await attempt(link, endpoint, timeout, tried):
                return
        except Broken as error:
            if not tried:
                raise
            hint = "it takes only so many keys (MaxAuthTries); name the right one with identity_file"
            raise Refused(f"{endpoint} hung up on {endpoint.user}: {'; '.join(tried)}; {hint}") from error
    known = "; ".join(tried) or "there is neither a key file nor an agent (SSH_AUTH_SOCK)"
    raise Refused(f"{endpoint} does not let {endpoint.user} in: {known}")


async def _with_files(link: Link, endpoint: Endpoint, timeout: float, tried: list[str]) -> bool:
    for path in endpoint.identities:
        try:
            key = _read(path)
        except OSError as error:
            tried.append(f"the key {path} cannot be read ({error.strerror})")
            continue
        if await _accepts(link, endpoint.user, key):
            return True
        tried.append(_refusal(path, key))
    return False


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


async def _accepts(link: Link, user: str, key: bytes) -> bool:
    try:
        await link.call(link.session.userauth_publickey_frommemory, user, key)
    except Broken as error:
        # without an answer its code is that of a refused signature; only the words differ
        if link.session.last_errno() in _BROKEN or "Waiting for" in error.message:
            raise
        return False
    return True


_BROKEN = {
    error_codes.LIBSSH2_ERROR_SOCKET_SEND,
    error_codes.LIBSSH2_ERROR_SOCKET_RECV,
    error_codes.LIBSSH2_ERROR_SOCKET_DISCONNECT,
    error_codes.LIBSSH2_ERROR_PROTO,
}
"""Anything else that fails while logging in is a key that did not do, and the next may be tried."""


def _refusal(path: str, key: bytes) -> str:
    """Why the key file *path* did not do: libssh2 itself cannot tell a refusal from a missing passphrase."""
    first = key.split(b"\n", 1)[0]
    if b"PRIVATE KEY" not in first:
        return f"{path} is no private key"
    if _is_encrypted(key):
        return f"the key {path} has a passphrase; add it to an agent (ssh-add {path})"
    return f"the key {path} was refused"


def _is_encrypted(key: bytes) -> bool:
    if b"ENCRYPTED" in key:
        return True
    if b"BEGIN OPENSSH" not in key:
        return False
    body = b"".join(line for line in key.splitlines() if not line.startswith(b"-----"))
    try:
        cipher = base64.b64decode(body)[len(b"openssh-key-v1\0") :]
    except binascii.Error:
        return False
    return cipher[4 : 4 + int.from_bytes(cipher[:4], "big")] != b"none"


async def _with_agent(link: Link, endpoint: Endpoint, timeout: float, tried: list[str]) -> bool:
    if not os.environ.get("SSH_AUTH_SOCK"):
        return False

    def ask(session: Any) -> bool:
        session.set_timeout(int(timeout * 1000))
        try:
            return _ask_agent(session, endpoint.user, tried)
        finally:
            session.set_timeout(0)

    return await link.lend(ask)


def _ask_agent(session: Any, user: str, tried: list[str]) -> bool:
    """Offer all keys of the agent. By this one call, as ssh2's others keep Python from doing anything else meanwhile."""
    try:
        session.agent_auth(user)
    except (AgentConnectionError, AgentListIdentitiesError):
        tried.append(f"the agent at {os.environ['SSH_AUTH_SOCK']} does not answer")
        return False
    except SSH2Error:
        tried.append("the agent has no key that was accepted")
        return False
    return True
