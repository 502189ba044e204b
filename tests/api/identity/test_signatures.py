"""What botocore signs is accepted, and nothing else: whatever the request, the key, the service and the token."""

from collections.abc import Iterator

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_door import T0, Door
from signing import POLL, changed, header, signed

from runner.api.identity.claim import claim
from runner.api.identity.signature import body_hash, string_to_sign
from runner.errors import Refused
from runner.ports.identity import NOT_IDENTIFIED, IssuedKey, SignedRequest

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True).filter(
    lambda name: name not in {"host", "authorization", "date", "content-length", "x-amz-content-sha256", "x-amz-date"}
)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)
PATHS = st.from_regex(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,8}){1,5}", fullmatch=True)
PAIRS = st.from_regex(r"([A-Za-z0-9._~-]|%[0-9A-F]{2}){1,5}(=([A-Za-z0-9._~-]|%[0-9A-F]{2}){0,5})?", fullmatch=True)
QUERIES = st.lists(PAIRS, max_size=4).map("&".join)
SERVICES = st.sampled_from(["codedeploy", "codedeploy-commands", "codedeploy-commands-secure", "s3"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = Door(tmp_path_factory.mktemp("state"))
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def key(shared: Door) -> IssuedKey:
    return shared.key("host", "web-1")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    headers=st.dictionaries(NAMES, VALUES, max_size=6),
    body=st.binary(max_size=200),
    path=PATHS,
    query=QUERIES,
    service=SERVICES,
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1", "anywhere"]),
    token=st.none() | st.from_regex(r"[A-Za-z0-9/+=]{1,60}", fullmatch=True),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
def test_whatever_botocore_signs_is_accepted(
    shared: Door,
    key: IssuedKey,
    headers: dict[str, str],
    body: bytes,
    path: str,
    query: str,
    service: str,
    region: str,
    token: str | None,
    method: str,
) -> None:
    request = signed(
        key,
        T0,
        method=method,
        target=f"{path}?{query}" if query else path,
        headers=headers,
        body=body,
        service=service,
        region=region,
        token=token,
    )
    assert shared.identify(request, service) == key.principal.access_key_id


@settings(max_examples=150, deadline=None, derandomize=True)
@given(headers=st.dictionaries(NAMES, VALUES, max_size=6), path=PATHS | st.just("/"), query=QUERIES, service=SERVICES)
def test_what_is_signed_is_word_for_word_what_botocore_says(
    key: IssuedKey, headers: dict[str, str], path: str, query: str, service: str
) -> None:
    target = f"{path}?{query}" if query else path
    request = signed(key, T0, method="POST", target=target, headers=headers, body=b"{}", service=service)
    claimed = claim(request)
    botocores = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("", ""), service, claimed.region)
    asked = AWSRequest("POST", f"http://host{target}", claimed.signed, b"{}")
    asked.context["timestamp"] = claimed.timestamp
    expected = botocores.string_to_sign(asked, botocores.canonical_request(asked))
    assert string_to_sign(request, claimed, body_hash(request, service)) == expected


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data(), headers=st.dictionaries(NAMES, st.text("abc XYZ", min_size=1, max_size=9), max_size=4))
def test_no_bit_of_a_signed_request_can_be_changed(
    shared: Door, key: IssuedKey, data: st.DataObject, headers: dict[str, str]
) -> None:
    good = signed(key, T0, headers=POLL | headers, target="/bucket/key?versionId=1", service="codedeploy")
    what = data.draw(st.sampled_from(["method", "path", "query", "body", "header", "signature", "scope"]))
    match what:
        case "method":
            bad = good._replace(method="PUT")
        case "path":
            bad = good._replace(path=good.path + "x")
        case "query":
            bad = good._replace(query=good.query + data.draw(st.sampled_from(["0", "&a", "&a=b"])))
        case "body":
            bad = good._replace(body=good.body + b" ")
        case "header":
            name = data.draw(
                st.sampled_from([n for n, _ in good.headers if n not in (b"authorization", b"user-agent")])
            )
            bad = changed(good, **{name.decode(): header(good, name.decode()) + "0"})
        case "signature":
            text = header(good, "authorization")
            at = data.draw(st.integers(1, 64))
            digit = data.draw(st.sampled_from("0123456789abcdef").filter(lambda new: new != text[-at]))
            bad = changed(good, authorization=text[: len(text) - at] + digit + text[len(text) - at + 1 :])
        case _:
            text = header(good, "authorization")
            bad = changed(good, authorization=text.replace("/us-east-1/", "/us-east-2/"))
    shared.seconds += 10
    assert shared.identify(good) == key.principal.access_key_id
    with pytest.raises(Refused) as refused:
        shared.identify(bad)
    assert refused.value.code in ("InvalidSignatureException", "IncompleteSignatureException")
    assert header(good, "authorization")[-64:] not in refused.value.message


SCOPES = st.sampled_from(
    ["PK", "PK/20260101/r/s", "PK/20260101/r/codedeploy", "PK/2026/r/s/t", "/////", "\u00e9/1/2/3", ""]
)
CLAIMS = st.builds(
    "{} Credential={}/aws4_request,{}SignedHeaders={}, Signature={}".format,
    st.sampled_from(["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "Bearer", ""]),
    SCOPES,
    st.sampled_from(["", " ", ",", "="]),
    st.sampled_from(["host;x-amz-date", "host;x-amz-date;date", "host", "host;host", ";", "", "nothing", "a b"]),
    st.sampled_from(["0" * 64, "0" * 63, "F" * 64, "", "=,="]),
)
HEADERS = st.sampled_from([b"authorization", b"x-amz-date", b"host", b"date", b"x-amz-content-sha256", b"x-amz-target"])
SENT = st.binary(max_size=30) | st.sampled_from(
    [b"20260101T120000Z", b"20269901T120000Z", b"Thu, 01 Jan 2026 12:00:00 GMT"]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    headers=st.lists(st.tuples(HEADERS, SENT) | CLAIMS.map(lambda text: (b"authorization", text.encode())), max_size=8),
    path=st.sampled_from(["/", "", "//", "*", "/a b", "/\x00", "/#", "http://elsewhere/", "/\u00e9"]),
    query=st.sampled_from(["", "&", "X-Amz-Signature=00", "=", "\n"]),
    body=st.binary(max_size=20),
)
def test_garbage_is_refused_cleanly(
    shared: Door, headers: list[tuple[bytes, bytes]], path: str, query: str, body: bytes
) -> None:
    shared.seconds += 10
    with pytest.raises(Refused) as refused:
        shared.identify(SignedRequest("POST", path, query, headers, body, "192.0.2.1"))
    assert refused.value.code in NOT_IDENTIFIED


def test_a_body_of_an_s3_get_may_be_unsigned_and_no_other(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    key = door.key("host", "web-1")
    unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    # botocore signs what the header says, except for s3, where it decides by itself
    get = signed(key, T0, method="GET", target="/b/k", headers=unsigned, body=b"", service="codedeploy")
    with pytest.raises(Refused, match="is not the hash of the body"):
        door.identify(get)
    monkeypatch.setattr(S3SigV4Auth, "payload", lambda signer, request: "UNSIGNED-PAYLOAD")
    free = signed(key, T0, method="GET", target="/b/k", headers={}, body=b"", service="s3")
    put = signed(key, T0, method="PUT", target="/b/k", headers={}, body=b"", service="s3")
    assert door.identify(free) == key.principal.access_key_id
    for other in (put, free._replace(body=b"something")):
        with pytest.raises(Refused, match="is not the hash of the body"):
            door.identify(other)


def test_paths_of_s3_are_signed_as_they_are_and_others_normalised(door: Door) -> None:
    key = door.key("host", "web-1")
    for service in ("s3", "codedeploy"):
        request = signed(key, T0, method="GET", target="/b/a%2Fb/../c//d%20e", headers={}, body=b"", service=service)
        assert door.identify(request) == key.principal.access_key_id
