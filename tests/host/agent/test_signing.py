"""What the agent signs, against botocore's own signer; and what it accepts as signed, against `cryptography`."""

import hashlib
from urllib.parse import quote

import pytest
from agent_server import KEY, public_key
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from runner.host.agent.errors import Mistake
from runner.host.agent.pinned_key import PinnedKey
from runner.host.agent.signature import Signer, query_string

NUMBERS = KEY.public_key().public_numbers()
PINNED = PinnedKey.from_json(public_key())
SIZE = 256  # bytes of the modulus
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")

texts = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(
    service=st.sampled_from(["codedeploy-commands", "s3"]),
    secret=texts,
    region=st.from_regex(r"[a-z]{2}-[a-z]{4}-[1-9]", fullmatch=True),
    body=st.binary(max_size=200),
    extra=st.dictionaries(st.sampled_from(["X-Amz-Target", "Content-Type", "X-Other"]), texts),
    key=st.text(min_size=1, max_size=20).filter(lambda text: "/" not in text and text.strip(".")),
    query=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=3),
    moment=st.datetimes().map(lambda time: f"{time.year:04}{time.month:02}{time.day:02}T{time.hour:02}0000Z"),
)
def test_signatures_are_those_of_botocore(
    service: str,
    secret: str,
    region: str,
    body: bytes,
    extra: dict[str, str],
    key: str,
    query: dict[str, str],
    moment: str,
) -> None:
    path = "/" + quote(key, safe="-_.~")
    sha256 = hashlib.sha256(body).hexdigest()
    headers = {"Host": "penstock.example.com:8443", "X-Amz-Date": moment, **extra}
    if service == "s3":
        headers["X-Amz-Content-Sha256"] = sha256
    ours = Signer("PKEXAMPLE", secret, region, service).authorization("POST", path, query, headers, sha256)

    request = AWSRequest("POST", f"http://penstock.example.com:8443{path}", headers=headers, params=query, data=body)
    request.context["timestamp"] = moment
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = kind(Credentials("PKEXAMPLE", secret), service, region)
    request.context["payload_signing_enabled"] = True
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert ours.endswith(f"Signature={signer.signature(text, request)}")
    assert ours.startswith(f"AWS4-HMAC-SHA256 Credential=PKEXAMPLE/{moment[:8]}/{region}/{service}/aws4_request, ")


def test_queries_are_sent_as_they_are_signed() -> None:
    assert query_string({"versionId": "a b/ü+", "a": ""}) == "a=&versionId=a%20b%2F%C3%BC%2B"


@given(st.binary(max_size=300))
def test_what_the_key_has_signed_is_accepted(content: bytes) -> None:
    signature = KEY.sign(content, padding.PKCS1v15(), hashes.SHA256())
    assert PINNED.has_signed(content, signature)
    assert not PINNED.has_signed(content + b"x", signature)


def sealed(block: bytes) -> bytes:
    """*block*, of the modulus's size, as the owner of the key would sign it."""
    private = KEY.private_numbers()
    return pow(int.from_bytes(block, "big"), private.d, NUMBERS.n).to_bytes(SIZE, "big")


CONTENT = b"content"
DIGEST = SHA256 + hashlib.sha256(CONTENT).digest()
FULL = b"\x00\x01" + b"\xff" * (SIZE - 3 - len(DIGEST)) + b"\x00" + DIGEST


def test_the_block_that_is_right_is_accepted() -> None:
    assert PINNED.has_signed(CONTENT, sealed(FULL))


@pytest.mark.parametrize(
    "block",
    [
        b"\x00\x01"
        + b"\xff" * 8
        + b"\x00"
        + DIGEST
        + b"\x00" * (SIZE - 11 - len(DIGEST)),  # short padding, then garbage
        b"\x00\x01" + b"\xff" * (SIZE - 3 - len(DIGEST) - 2) + b"\x00" + DIGEST + b"ab",
        b"\x00\x02" + FULL[2:],
        b"\x00\x01" + b"\xfe" + FULL[3:],
        FULL[: -len(DIGEST)]
        + bytes.fromhex("302f300b0609608648016503040201")
        + b"\x04\x20"
        + FULL[-34:],  # without NULL
        FULL[:-32] + hashlib.sha256(b"other").digest(),
    ],
)
def test_any_other_padding_is_refused_although_the_key_made_it(block: bytes) -> None:
    assert not PINNED.has_signed(CONTENT, sealed(block[:SIZE].ljust(SIZE, b"\x00")))


def test_signatures_of_other_lengths_and_numbers_are_refused() -> None:
    signature = KEY.sign(CONTENT, padding.PKCS1v15(), hashes.SHA256())
    number = int.from_bytes(signature, "big")
    assert not PINNED.has_signed(CONTENT, b"")
    assert not PINNED.has_signed(CONTENT, b"\x00" + signature)
    assert not PINNED.has_signed(CONTENT, signature[:-1])
    assert not PINNED.has_signed(CONTENT, b"\x00" * SIZE)
    if number + NUMBERS.n < 1 << (8 * SIZE):  # the same number, modulo n
        assert not PINNED.has_signed(CONTENT, (number + NUMBERS.n).to_bytes(SIZE, "big"))
    other = KEY.sign(CONTENT, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert not PINNED.has_signed(CONTENT, other)
    assert not PINNED.has_signed(CONTENT, KEY.sign(CONTENT, padding.PKCS1v15(), hashes.SHA512()))


def test_the_fingerprint_is_over_modulus_and_exponent() -> None:
    assert PINNED.fingerprint() == hashlib.sha256(f"{NUMBERS.n:x}:65537".encode()).hexdigest()
    assert PinnedKey.from_json(PINNED.as_json()) == PINNED


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers().n


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"n": "xyz", "e": 3},
        {"n": f"{WEAK:x}", "e": 65537},
        {"n": f"{NUMBERS.n:x}", "e": 1},
        {"n": f"{NUMBERS.n:x}", "e": 65536},
        {"n": f"{NUMBERS.n + 1:x}", "e": 65537},
        {"n": f"{NUMBERS.n:x}", "e": "65537"},
        {"n": "f" * 100000, "e": 65537},
    ],
)
def test_what_is_no_key_or_a_weak_one_is_refused(value: object) -> None:
    with pytest.raises(Mistake, match="enrol this host again"):
        PinnedKey.from_json(value)
