"""Who is let in: times, services, headers, keys that come and go, and clients that fail over and over."""

import asyncio
import datetime as dt
from email.utils import format_datetime

import pytest
from identity_door import T0, Door
from signing import changed, header, signed

from runner.errors import Refused, WorldError
from runner.log import Secret
from runner.ports.identity import SignedRequest


def full_disk() -> None:
    raise WorldError("the disk is full")


MINUTES = dt.timedelta(minutes=1)


def refusal(door: Door, request: SignedRequest, *services: str) -> Refused:
    with pytest.raises(Refused) as refused:
        door.identify(request, *services)
    return refused.value


@pytest.mark.parametrize("off", [-5 * MINUTES, 0 * MINUTES, 5 * MINUTES])
def test_clocks_may_differ_by_five_minutes(door: Door, off: dt.timedelta) -> None:
    key = door.key()
    assert door.identify(signed(key, T0 + off)) == key.principal.access_key_id


def test_an_old_signature_is_refused_with_both_times(door: Door) -> None:
    said = refusal(door, signed(door.key(), T0 - 5 * MINUTES - dt.timedelta(seconds=1)))
    assert said.code == "InvalidSignatureException"
    assert said.message.startswith(
        "Signature expired: 20260101T115459Z is now earlier than 20260101T115500Z (20260101T120000Z - 5 min)"
    )


def test_a_signature_from_the_future_is_refused_with_both_times(door: Door) -> None:
    said = refusal(door, signed(door.key(), T0 + 6 * MINUTES))
    assert said.code == "InvalidSignatureException"
    assert said.message.startswith(
        "Signature not yet current: 20260101T120600Z is still later than 20260101T120500Z (20260101T120000Z + 5 min)"
    )


def test_a_request_of_last_midnight_counts_by_its_own_date(door: Door) -> None:
    door.now = dt.datetime(2026, 1, 2, 0, 1, tzinfo=dt.UTC)
    key = door.key()
    assert door.identify(signed(key, door.now - 2 * MINUTES)) == key.principal.access_key_id
    assert door.identify(signed(key, door.now)) == key.principal.access_key_id


def test_the_date_of_the_scope_must_be_that_of_the_request(door: Door) -> None:
    good = signed(door.key(), T0)
    bad = changed(good, authorization=header(good, "authorization").replace("/20260101/", "/20260102/"))
    said = refusal(door, bad)
    assert (said.code, "20260102" in said.message) == ("IncompleteSignatureException", True)


def test_a_date_header_does_as_well(door: Door) -> None:
    key = door.key()
    request = signed(key, T0, headers={"Date": format_datetime(T0, usegmt=True)})
    assert "x-amz-date" not in dict(request.headers)
    assert door.identify(request) == key.principal.access_key_id


def test_the_service_must_be_one_of_those_asked_for(door: Door) -> None:
    key = door.key()
    assert door.identify(signed(key, T0, service="codedeploy-commands-secure"), "codedeploy-commands-secure")
    said = refusal(door, signed(key, T0, service="ec2"), "codedeploy-commands-secure", "codedeploy-commands")
    assert said.code == "InvalidSignatureException"
    assert said.message.endswith("must name the service codedeploy-commands or codedeploy-commands-secure")


def test_a_request_without_a_signature_is_told_how_to_get_a_key(door: Door) -> None:
    said = refusal(door, changed(signed(door.key(), T0), authorization=None))
    assert said.code == "MissingAuthenticationTokenException"
    assert "penstock keys create" in said.message


def test_a_presigned_url_is_refused_in_words(door: Door) -> None:
    request = changed(signed(door.key(), T0), authorization=None)
    said = refusal(door, request._replace(query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"))
    assert said.code == "MissingAuthenticationTokenException"
    assert said.message.startswith("presigned URLs are not accepted")


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("Bearer abc", "must be AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256", "has no Credential"),
        ("AWS4-HMAC-SHA256 Credential=PK/20260101/r/s/aws4_request", "has no SignedHeaders"),
        ("AWS4-HMAC-SHA256 Credential=PK/20260101/r/s/aws4_request, SignedHeaders=host", "has no Signature"),
        (
            "AWS4-HMAC-SHA256 Credential=PK/s/aws4_request, SignedHeaders=host, Signature=0",
            "must have the form KEY/DATE",
        ),
        ("AWS4-HMAC-SHA256 Credential=PK/20260101/r/s/aws4_request, SignedHeaders=host, Signature=0", "is malformed"),
    ],
)
def test_a_broken_authorization_header_is_explained(door: Door, authorization: str, words: str) -> None:
    said = refusal(door, changed(signed(door.key(), T0), authorization=authorization))
    assert said.code == "IncompleteSignatureException"
    assert words in said.message


def test_what_must_be_signed_must_be_signed(door: Door) -> None:
    good = signed(door.key(), T0)
    text = header(good, "authorization")
    for name in ("host", "x-amz-target", "x-amz-date"):
        names = text.partition("SignedHeaders=")[2].partition(",")[0]
        fewer = ";".join(each for each in names.split(";") if each != name)
        said = refusal(door, changed(good, authorization=text.replace(names, fewer)))
        assert said.code == "IncompleteSignatureException"
        assert name in said.message.lower()


@pytest.mark.parametrize("name", ["host", "x-amz-date", "content-type", "authorization"])
def test_a_header_that_counts_may_not_be_there_twice(door: Door, name: str) -> None:
    good = signed(door.key(), T0)
    twice = good._replace(headers=[*good.headers, (name.encode(), header(good, name).encode())])
    said = refusal(door, twice)
    assert (said.code, "more than on" in said.message) == ("IncompleteSignatureException", True)


def test_headers_that_are_not_signed_do_not_count(door: Door) -> None:
    key = door.key()
    good = signed(key, T0)
    more = [(b"x-amz-whatever", b"1"), (b"x-amz-whatever", b"2"), (b"amz-sdk-request", b"attempt=1")]
    assert door.identify(good._replace(headers=[*good.headers, *more])) == key.principal.access_key_id


def test_a_stated_hash_of_the_body_must_be_right_signed_or_not(door: Door) -> None:
    good = signed(door.key(), T0)
    said = refusal(door, changed(good, x_amz_content_sha256="0" * 64))
    assert (said.code, "is not the hash" in said.message) == ("InvalidSignatureException", True)


def test_a_wrong_secret_is_refused_without_showing_the_right_signature(door: Door) -> None:
    key = door.key()
    right = header(signed(key, T0), "authorization")[-64:]
    said = refusal(door, signed(key._replace(secret=Secret("x" * 40)), T0))
    assert said.code == "InvalidSignatureException"
    assert right not in said.message and key.secret.reveal() not in said.message


def test_an_unknown_key_is_not_recognised_until_it_is_made(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    key = door.key()
    door.keys.revoke(key.principal.access_key_id, T0)
    for _ in range(2):
        assert refusal(door, signed(key, T0)).code == "UnrecognizedClientException"
    unknown = key._replace(principal=type(key.principal)(access_key_id="PK" + "A" * 18, role="admin"))
    assert refusal(door, signed(unknown, T0)).code == "UnrecognizedClientException"
    monkeypatch.setattr("runner.store.keys._OF_IDS", "A")
    made = door.key()
    assert made.principal.access_key_id == unknown.principal.access_key_id
    assert door.identify(signed(made, T0)) == made.principal.access_key_id


def test_a_revoked_key_ends_at_once_in_every_process_and_others_stay(door: Door) -> None:
    key, other = door.key(), door.key()
    elsewhere = Door(door.folder)
    for one in (door, elsewhere):
        assert one.identify(signed(key, T0)) and one.identify(signed(other, T0))
    elsewhere.keys.revoke(key.principal.access_key_id, T0)
    for one in (door, elsewhere):
        assert refusal(one, signed(key, T0)).code == "UnrecognizedClientException"
        assert one.identify(signed(other, T0)) == other.principal.access_key_id
    elsewhere.database.close()


def test_a_known_key_costs_no_reading_while_nothing_is_written(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    key = door.key()
    door.identify(signed(key, T0))
    monkeypatch.setattr(door.keys, "find", lambda key: pytest.fail("read again"))
    monkeypatch.setattr(door.keys, "revocations", lambda: pytest.fail("counted again"))
    assert door.identify(signed(key, T0)) == key.principal.access_key_id


def test_a_lost_file_of_the_encryption_key_is_the_servers_failure_not_the_clients(door: Door) -> None:
    key = door.key()
    (door.folder / "keys.key").unlink()
    fresh = Door(door.folder)
    with pytest.raises(WorldError, match=r"keys\.key, with which .* cannot be used: No such file"):
        fresh.identify(signed(key, T0))
    fresh.database.close()


def test_the_last_use_of_keys_is_written_when_it_is_flushed(door: Door) -> None:
    key, idle = door.key(), door.key()
    door.identify(signed(key, T0))
    assert [each.last_used_at for each in door.keys.all()] == [None, None]
    door.verifier.flush()
    used = {each.id: each.last_used_at for each in door.keys.all()}
    assert used == {key.principal.access_key_id: T0, idle.principal.access_key_id: None}


def test_what_cannot_be_written_of_last_use_is_kept_for_the_next_time(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = door.key()
    door.identify(signed(key, T0))
    with monkeypatch.context() as patched:
        patched.setattr(door.database, "write", full_disk)
        with pytest.raises(WorldError, match="the disk is full"):
            door.verifier.flush()
    door.verifier.flush()
    assert [each.last_used_at for each in door.keys.all()] == [T0]


async def test_a_server_that_ends_writes_last_use_once_more(door: Door) -> None:
    running = asyncio.create_task(door.verifier.run())
    await asyncio.sleep(0)
    door.identify(signed(door.key(), T0))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [each.last_used_at for each in door.keys.all()] == [T0]


def test_who_fails_over_and_over_has_to_wait(door: Door) -> None:
    good = signed(door.key(), T0)
    bad = changed(good, authorization=None)
    unknown = changed(good, authorization=header(good, "authorization").replace("Credential=PK", "Credential=QK"))
    for _ in range(100):
        assert refusal(door, bad).code == "MissingAuthenticationTokenException"
    assert refusal(door, unknown).code == "ThrottlingException"
    assert refusal(door, good).code == "ThrottlingException"
    assert door.identify(good._replace(client="192.0.2.2"))
    assert door.identify(good)  # it has signed well by now: others at its address no longer shut it out
    assert refusal(door, unknown).code == "ThrottlingException"
    door.seconds += 1
    assert refusal(door, unknown).code == "UnrecognizedClientException"


def test_guessing_at_a_key_in_use_is_slowed_where_it_is_done(door: Door) -> None:
    key = door.key()
    good, guess = signed(key, T0), signed(key._replace(secret=Secret("x" * 40)), T0)
    assert door.identify(good)
    for _ in range(20):
        assert refusal(door, guess).code == "InvalidSignatureException"
    assert refusal(door, guess).code == "ThrottlingException"
    assert refusal(door, good).code == "ThrottlingException"
    assert door.identify(good._replace(client="192.0.2.2"))
    door.seconds += 1.5
    assert door.identify(good)


def test_an_ipv6_customer_is_one_address(door: Door) -> None:
    bad = changed(signed(door.key(), T0), authorization=None)
    for number in range(100):
        refusal(door, bad._replace(client=f"2001:db8::{number:x}"))
    unknown = signed(door.key(), T0)
    assert refusal(door, unknown._replace(client="2001:db8::ffff")).code == "ThrottlingException"
    assert door.identify(unknown._replace(client="2001:db8:0:1::1"))
