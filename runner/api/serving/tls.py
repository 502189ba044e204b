"""TLS of the listener: a certificate and its key, checked at the start, and again whenever the files change."""

import asyncio
import datetime as dt
import os
import ssl
from asyncio.sslproto import SSLProtocol
from pathlib import Path

from runner.config import Tls
from runner.errors import UserError
from runner.log import get_logger

# asyncio gives each TLS connection a buffer for reading of 256 KiB, and fills it with zeros: 2.5 GiB for 10,000 agents that
# wait. One TLS record is at most 16 KiB; requests here are far smaller.
SSLProtocol.max_size = 16 * 1024

log = get_logger()


def tls_context(files: Tls) -> ssl.SSLContext:
    """TLS 1.2 and later with *files*. Raises `UserError`: missing, no PEM, encrypted, not a pair, not valid now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    _check_dates(files.certificate)
    _load(context, files)
    return context


async def keep_fresh(context: ssl.SSLContext, files: Tls, every: float) -> None:
    """Give *context* the new certificate when *files* have changed, until cancelled. Connections that are there stay.

    *every*: seconds between looks at the files. Of new files that are wrong the log tells; the old certificate goes on.
    """
    known = _stamps(files)
    while True:
        await asyncio.sleep(every)
        if (now := _stamps(files)) == known:
            continue
        known = now
        try:
            tls_context(files)  # a mismatch must not reach the context that is in use
            _load(context, files)
        except UserError as error:
            log.warning("certificate not renewed", error=error.message)
        else:
            log.info("certificate renewed", certificate=files.certificate)


def _load(context: ssl.SSLContext, files: Tls) -> None:
    for what, file in (("certificate", files.certificate), ("private_key", files.private_key)):
        if b"-----BEGIN " not in _read(what, file):
            raise UserError(f"[tls] {what} {file} is no PEM file")
    try:
        context.load_cert_chain(files.certificate, files.private_key, password=_no_password)
    except _Encrypted:
        raise UserError(
            f"[tls] private_key {files.private_key} is encrypted; store it without a passphrase, readable only for "
            "the user that runs penstock"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UserError(
                f"[tls] the private_key {files.private_key} does not belong to the certificate {files.certificate}"
            ) from error
        raise UserError(
            f"[tls] {files.certificate} and {files.private_key} cannot be used: {error.reason or error}"
        ) from error


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


def _read(what: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"[tls] {what} {file} cannot be read: {error.strerror}") from error


def _check_dates(file: str) -> None:
    """The first certificate of *file* is the server's own."""
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(_read("certificate", file))
    except ValueError as error:
        raise UserError(f"[tls] certificate {file} holds no certificate in PEM") from error
    now = dt.datetime.now(dt.UTC)
    if certificate.not_valid_after_utc < now:
        raise UserError(f"[tls] certificate {file} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it")
    if certificate.not_valid_before_utc > now:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise UserError(f"[tls] certificate {file} is not valid before {begins}; is this machine's clock right?")


def _stamps(files: Tls) -> list[tuple[int, int, int] | None]:
    return [_stamp(file) for file in (files.certificate, files.private_key)]


def _stamp(file: str) -> tuple[int, int, int] | None:
    """What changes when the file does, also behind a symbolic link; None when it is not there."""
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
