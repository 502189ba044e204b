"""The key that specifications are signed with: made once, kept in the state folder, pinned by our own agents."""

import base64
import datetime as dt
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import UserError, WorldError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_FILE = "signing-key.pem"
_BITS = 2048
_DAY = dt.timedelta(days=1)
_VALID = 3650 * _DAY  # of the certificate; agents do not look


class SigningKey:
    """The RSA key of one state folder. Signing takes about a millisecond and lets other threads run."""

    def __init__(self, key: "RSAPrivateKey", now: dt.datetime) -> None:
        self._key, self._certificate = key, _certificate(key, now)
        numbers = key.public_key().public_numbers()
        self.modulus, self.exponent = numbers.n, numbers.e

    @classmethod
    def of(cls, folder: Path, now: dt.datetime) -> "SigningKey":
        """The key in *folder*, made if there is none. Raises `UserError` for a file that is no such key, `WorldError`."""
        file = folder / _FILE
        try:
            if not file.exists():
                _make(file)
            return cls(_read(file), now)
        except OSError as error:
            raise WorldError(f"the signing key {file} cannot be used: {error.strerror}", retryable=False) from error

    def fingerprint(self) -> str:
        """The first 32 hex digits of the SHA-256 over `n:e`, n in lower-case hex, e in decimal."""
        return hashlib.sha256(f"{self.modulus:x}:{self.exponent}".encode()).hexdigest()[:32]

    def pkcs7(self, content: bytes) -> str:
        """A PKCS7 message in PEM that holds *content* and the certificate, as the official agent reads it."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.serialization import pkcs7

        builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
        signed = builder.add_signer(self._certificate, self._key, hashes.SHA256())
        return signed.sign(serialization.Encoding.PEM, [pkcs7.PKCS7Options.Binary]).decode()

    def signature(self, content: bytes) -> str:
        """RSASSA-PKCS1-v1_5 with SHA-256, in base64."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return base64.b64encode(self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()


def _make(file: Path) -> None:
    """Of several processes that do this at once one wins, and all use its key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{_FILE}-") as whole:  # mode 0600
        whole.write(text)
        whole.flush()
        os.fsync(whole.fileno())
        try:
            os.link(whole.name, file)
        except FileExistsError:
            return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(file: Path) -> "RSAPrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError(f"{file} is not a private key in PEM; restore it from a backup") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _BITS:
        raise UserError(f"{file} is not an RSA key of {_BITS} bits; restore it from a backup")
    return key


def _certificate(key: "RSAPrivateKey", now: dt.datetime) -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Penstock deployment signer")])
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - _DAY).not_valid_after(now + _VALID)
    return builder.sign(key, hashes.SHA256())
