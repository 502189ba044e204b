"""Commit objects taken apart, honest and not."""

from hypothesis import given
from hypothesis import strategies as st

from runner.sources.signatures import openssh
from runner.sources.signatures.commit import parse

HEAD = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 1700000000 +0100\n"
COMMITTER = b"committer C <c@x> 1700000060 +0100\n"
ID = "0" * 40


def test_the_payload_is_the_commit_without_its_signature() -> None:
    made = parse(ID, HEAD + COMMITTER + b"gpgsig one\n two\n \n three\nencoding latin1\n\nhello\n")
    assert made.payload == HEAD + COMMITTER + b"encoding latin1\n\nhello\n"
    assert made.signatures == (b"one\ntwo\n\nthree\n",)
    assert made.time == 1700000060


def test_the_signature_for_the_other_hash_is_no_part_of_either() -> None:
    made = parse(ID, HEAD + COMMITTER + b"gpgsig-sha256 other\n more\ngpgsig own\n\nhello\n")
    assert made.payload == HEAD + COMMITTER + b"\nhello\n"
    assert made.signatures == (b"own\n",)


def test_a_line_of_the_message_is_no_header() -> None:
    raw = HEAD + COMMITTER + b"\ngpgsig one\nparent 1234\n"
    made = parse(ID, raw)
    assert (made.payload, made.signatures, made.parents) == (raw, (), ())


def test_the_time_of_a_merged_tag_is_not_the_commits() -> None:
    made = parse(
        ID, HEAD + b"mergetag object 1\n committer X <x@x> 5 +0000\n" + COMMITTER + b"\ncommitter Y <y@x> 9 +0000\n"
    )
    assert made.time == 1700000060


def test_parents_come_in_their_order() -> None:
    made = parse(ID, b"tree 1\nparent " + b"a" * 40 + b"\nparent " + b"b" * 40 + b"\n" + COMMITTER + b"\nx")
    assert made.parents == ("a" * 40, "b" * 40)


def test_a_time_that_no_calendar_has_is_none() -> None:
    assert parse(ID, HEAD + b"committer C <c@x> 999999999999999 +0100\n\nhello").time is None
    assert parse(ID, HEAD + b"\nhello").time is None


@given(st.binary(max_size=400), st.lists(st.binary(max_size=80), max_size=6))
def test_whatever_there_is_nothing_unsigned_is_added(message: bytes, lines: list[bytes]) -> None:
    raw = HEAD + b"".join(line.replace(b"\n", b"") + b"\n" for line in lines) + COMMITTER + b"\n" + message
    made = parse(ID, raw)
    assert set(made.payload.split(b"\n")) <= set(raw.split(b"\n"))
    if not any(line.startswith((b"gpgsig", b" ")) for line in raw.split(b"\n\n", 1)[0].split(b"\n")):
        assert made.payload == raw


@given(st.binary(max_size=300))
def test_no_ssh_signature_is_too_strange_to_be_read(inside: bytes) -> None:
    openssh.read(b"-----BEGIN SSH SIGNATURE-----\n" + inside + b"\n-----END SSH SIGNATURE-----\n")
