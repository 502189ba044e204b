"""TLS of the listener: what clients see, and what is said about wrong files."""

import asyncio
import contextlib
import ssl
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from listening import client, listening, make_certificate, private_pem, trusting
from waiting import until

from runner.api.serving.connection import Limits
from runner.api.serving.tls import tls_context
from runner.config import Tls
from runner.errors import UserError

QUICK = Limits(look=0.01)


@pytest.fixture
def files(tmp_path: Path) -> Tls:
    return make_certificate(tmp_path)


def replaced(files: Tls, by: Tls) -> None:
    """As a renewal does it: first the one file, then the other."""
    Path(by.certificate).replace(files.certificate)
    Path(by.private_key).replace(files.private_key)


async def common_name(address: tuple[str, int]) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with client(address, context) as one:
        return one.certificate().subject.rfc4514_string()


async def test_a_client_that_trusts_the_certificate_is_served(files: Tls) -> None:
    async with listening(tls=files) as address, client(address, trusting(files)) as one:
        assert (await one.ask("GET /healthz"))[0] == 200
        assert (await one.ask("GET /healthz"))[0] == 200


async def test_clients_that_hang_up_leave_no_trace_in_the_log(files: Tls) -> None:
    went_wrong: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: went_wrong.append(context))
    async with listening(tls=files) as address:
        for _ in range(3):
            async with client(address, trusting(files)) as one:
                assert (await one.ask("GET /healthz"))[0] == 200
    assert went_wrong == []


async def test_with_tls_an_address_may_be_open(files: Tls) -> None:
    here, trust = "127.0.0.1", trusting(files)
    async with listening(tls=files, address="0.0.0.0:0") as (_, port), client((here, port), trust) as one:
        assert (await one.ask("GET /healthz"))[0] == 200


async def test_tls_1_1_is_refused(files: Tls) -> None:
    old = trusting(files)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(tls=files) as address:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            async with client(address, old):
                pass


async def test_plain_http_on_a_tls_listener_gets_no_answer(files: Tls) -> None:
    async with listening(tls=files) as address, client(address) as one:
        await one.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in await one.rest()


async def test_a_renewed_certificate_is_used_and_connections_that_are_there_stay(files: Tls, tmp_path: Path) -> None:
    before = trusting(files)
    async with listening(tls=files, limits=QUICK) as address, client(address, before) as old:
        assert (await old.ask("GET /healthz"))[0] == 200
        replaced(files, make_certificate(tmp_path / "new", "renewed"))
        names = {""}
        while "CN=renewed" not in names:
            names.add(await common_name(address))
        assert (await old.ask("GET /healthz"))[0] == 200
    assert names <= {"", "CN=localhost", "CN=renewed"}


async def test_a_renewal_that_went_wrong_is_told_and_the_old_certificate_goes_on(
    files: Tls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ""

    def is_told() -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return "certificate not renewed" in told

    async with listening(tls=files, limits=QUICK) as address:
        Path(make_certificate(tmp_path / "other", "other").certificate).replace(files.certificate)
        await until(is_told)
        assert await common_name(address) == "CN=localhost"
    assert "does not belong to the certificate" in told


def test_a_file_that_is_missing_is_named(files: Tls) -> None:
    Path(files.private_key).unlink()
    with pytest.raises(UserError, match=r"private_key .*key\.pem cannot be read: No such file"):
        tls_context(files)


def test_the_key_of_another_certificate_is_refused(files: Tls, tmp_path: Path) -> None:
    other = make_certificate(tmp_path / "other")
    with pytest.raises(UserError, match="does not belong to the certificate"):
        tls_context(Tls(certificate=files.certificate, private_key=other.private_key))


@pytest.mark.parametrize(
    ("days", "said"), [((-30, -1), "expired on .*; renew it"), ((1, 30), "is not valid before .* clock")]
)
def test_a_certificate_that_is_not_valid_now_is_refused(tmp_path: Path, days: tuple[int, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        tls_context(make_certificate(tmp_path, days=days))


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase(files: Tls) -> None:
    Path(files.private_key).write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    with pytest.raises(UserError, match="is encrypted; store it without a passphrase"):
        tls_context(files)


@pytest.mark.parametrize("which", ["certificate", "private_key"])
@pytest.mark.parametrize(
    "content", [b"", b"\x30\x82\x01\x0a", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_something_else_is_refused(files: Tls, which: str, content: bytes) -> None:
    Path(getattr(files, which)).write_bytes(content)
    with pytest.raises(UserError, match=r"^\[tls\] "):
        tls_context(files)


async def test_a_connection_that_waits_takes_little_memory(files: Tls) -> None:
    trust = trusting(files)
    async with listening(tls=files) as address, contextlib.AsyncExitStack() as stack:
        await (await stack.enter_async_context(client(address, trust))).ask("GET /healthz")
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        for _ in range(20):
            one = await stack.enter_async_context(client(address, trust))
            assert (await one.ask("GET /healthz"))[0] == 200
        in_use, _ = tracemalloc.get_traced_memory()
        assert in_use / 20 < 150_000  # both ends of it; asyncio's own buffers alone would be half a megabyte
