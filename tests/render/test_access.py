"""Modes, access lists and SELinux ranges, by the official agent's grammar."""

import pytest

from runner.model.appspec import AclEntry
from runner.render.access import read_acl_entry, read_mode, read_range


@pytest.mark.parametrize(
    ("value", "mode"),
    [(644, "644"), ("0644", "0644"), (44, "044"), ("", "000"), (4755, "4755"), (0, "000"), ("7", "007")],
)
def test_a_mode_is_read_as_text(value, mode):
    assert read_mode(value) == mode


@pytest.mark.parametrize("value", [12345, "0o644", 648, -44, True, "rwx", 6.4, "\u0667"])
def test_a_wrong_mode_is_refused(value):
    with pytest.raises(ValueError, match="is no mode; expected one to four digits from 0 to 7"):
        read_mode(value)


@pytest.mark.parametrize(
    ("text", "default", "kind", "name", "perms"),
    [
        ("u:nobody:rw", False, "user", "nobody", "rw-"),
        ("user:nobody:6", False, "user", "nobody", "rw-"),
        ("nobody:x", False, "user", "nobody", "--x"),
        ("g:staff:r--", False, "group", "staff", "r--"),
        ("m::rx", False, "mask", "", "r-x"),
        ("mask:7", False, "mask", "", "rwx"),
        ("d:u:nobody:rwx", True, "user", "nobody", "rwx"),
        ("default:group::5", True, "group", "", "r-x"),
        ("d:nobody:wr", True, "user", "nobody", "rw-"),
        ("d:o:r", True, "other", "", "r--"),
        ("d:m:r", True, "mask", "", "r--"),
        ("d:rw", False, "user", "d", "rw-"),
        ("u:m:r", False, "user", "mask", "r--"),
        ("bob:", False, "user", "bob", "---"),
    ],
)
def test_an_entry_of_an_access_list_is_read(text, default, kind, name, perms):
    assert read_acl_entry(text) == AclEntry(default=default, kind=kind, name=name, perms=perms)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("7", "expected [default:]"),
        ("", "expected [default:]"),
        ("d:u:bob:7:x", "expected [default:]"),
        ("x:u:bob:7", "an entry of four parts begins with d or default"),
        ("d:d:bob:7", "'d' is none of user, group, mask, other"),
        ("x:bob:7", "'x' is none of user, group, mask, other"),
        ("mask:bob:r", "mask takes no name"),
        ("m:o:r", "mask takes no name"),
        ("d:other:bob:r", "other takes no name"),
        ("u::rw", "it names nobody"),
        ("o:r", "it names nobody"),
        (":rw", "it names nobody"),
        ("u:nobody:q", "'q' is not made of r, w, x and -"),
        ("u:nobody:77", "'77' is not made of r, w, x and -"),
        ("u:nobody:8", "'8' is not made of r, w, x and -"),
    ],
)
def test_a_wrong_entry_is_refused(text, why):
    with pytest.raises(ValueError, match="is no entry of an access list") as caught:
        read_acl_entry(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s0", "s0"),
        ("s0-s0", "s0"),
        ("s0-s15", "s0-s15"),
        ("s0:c1", "s0:c1"),
        ("s0-s3:c5,c1,c2,c3.c4", "s0-s3:c1.c5"),
        ("s0:c0.c1023", "s0:c0.c1023"),
        ("s0:c1,c3", "s0:c1,c3"),
    ],
)
def test_a_range_is_read_and_written_short(text, expected):
    assert read_range(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "c0", "s", "s-s1", "s0-", "s2-s1", "s0:", "s0:c", "s0:c1,c1", "s0:c5.c2", "s0:c1024", "s0:c1.", "s0:x1"],
)
def test_a_wrong_range_is_refused(text):
    with pytest.raises(ValueError, match="is no range"):
        read_range(text)
