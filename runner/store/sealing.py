"""Encrypts what the database must not reveal, with a key in a file beside it: a stolen database alone is no use."""

import base64
import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WorldError
from runner.log import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes


class Seal:
    """AES-256-GCM with the key in *file*: 64 hexadecimal digits. The file is read once, when it is needed first."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._cipher: AESGCM | None = None

    def seal(self, secret: Secret, about: str) -> str:
        """*secret*, encrypted; it opens only with the same *about*, which says what it is the secret of."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._opened().encrypt(nonce, secret.reveal().encode(), about.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, about: str) -> Secret:
        """What was sealed. Raises `WorldError` when it was with another key, or *about* something else."""
        from cryptography.exceptions import InvalidTag

        data = base64.b64decode(sealed)
        try:
            return Secret(self._opened().decrypt(data[:_NONCE], data[_NONCE:], about.encode()).decode())
        except InvalidTag:
            raise WorldError(
                f"{self.file} is not the file that the secrets of the access keys were encrypted with, or "
                "somebody changed the database; restore the file that belongs to this state folder, or revoke all keys and "
                "make new ones",
                retryable=False,
            ) from None

    def derived(self, purpose: str) -> bytes:
        """32 bytes that say nothing about the key itself."""
        return hmac.digest(self._key(), purpose.encode(), "sha256")

    def make_sure(self) -> None:
        """Make the file if there is none, for its owner alone, whole or not at all, and once."""
        if self.file.exists():
            return
        part = self.file.with_name(f".{self.file.name}.{secrets.token_hex(8)}")
        try:
            _write(part, secrets.token_hex(32) + "\n")
            try:
                os.link(part, self.file)  # never replaces one that another process made in the meantime
            except FileExistsError:
                pass
            finally:
                part.unlink()
            _flush_folder(self.file.parent)
        except OSError as error:
            raise WorldError(f"{self.file} cannot be written: {error.strerror}", retryable=False) from error

    def _opened(self) -> "AESGCM":
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._key())
        return self._cipher

    def _key(self) -> bytes:
        try:
            key = bytes.fromhex(self.file.read_text(encoding="ascii"))
            if len(key) == 32:
                return key
            problem = "it does not hold 64 hexadecimal digits"
        except ValueError:
            problem = "it does not hold 64 hexadecimal digits"
        except OSError as error:
            problem = error.strerror or str(error)
        raise WorldError(
            f"{self.file}, with which the secrets of the access keys are encrypted, cannot be used: {problem}; restore "
            "it from a backup, or revoke all keys and make new ones",
            retryable=False,
        )


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
