"""Modes, access lists and SELinux contexts of an AppSpec's permissions, by the grammar of the official agent (1.8).

Each function raises `ValueError` with a sentence for the user.
"""

import re
from typing import Any, Literal, NoReturn

from runner.model.appspec import AclEntry

_KINDS: dict[str, Literal["user", "group", "mask", "other"]] = {
    "u": "user",
    "user": "user",
    "g": "group",
    "group": "group",
    "m": "mask",
    "mask": "mask",
    "o": "other",
    "other": "other",
}
_DEFAULT = ("d", "default")
_LAST_CATEGORY = 1023


def read_mode(value: Any) -> str:
    """Three or four octal digits from what the file holds, read as text: 644, "0644", "" (which is 000)."""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    mode = text.rjust(3, "0")
    if not re.fullmatch(r"[0-7]{3,4}", mode, re.ASCII):
        raise ValueError(f"{text} is no mode; expected one to four digits from 0 to 7")
    return mode


def read_acl_entry(text: str) -> AclEntry:
    """`[default:][user|group|mask|other]:[name]:perms`, long or short; `name:perms` means a user."""
    *front, perms = text.split(":")
    if not 1 <= len(front) <= 3:
        _refuse(text, "expected [default:][user|group|mask|other:][name]:perms")
    default = front[0] in _DEFAULT and len(front) > 1
    front = front[1:] if default else front
    if len(front) > 2:
        _refuse(text, "an entry of four parts begins with d or default")
    kind, name = _kind_and_name(text, front)
    if kind in ("mask", "other") and name:
        _refuse(text, f"{kind} takes no name")
    if not default and kind != "mask" and not name:
        _refuse(text, "it names nobody; the owner's, group's and others' own rights are set by mode")
    return AclEntry(default=default, kind=kind, name=name, perms=_read_perms(text, perms))


def _kind_and_name(text: str, front: list[str]) -> tuple[Literal["user", "group", "mask", "other"], str]:
    *kinds, name = front
    if not kinds:
        # Alone, m and o are kinds of entries; u and g are read as names of users.
        return (_KINDS[name], "") if _KINDS.get(name) in ("mask", "other") else ("user", name)
    if kinds[0] not in _KINDS:
        _refuse(text, f"{kinds[0]!r} is none of user, group, mask, other")
    if _KINDS.get(name) in ("mask", "other"):
        name = _KINDS[name]  # the agent's reading: behind a kind, m and o are the names "mask" and "other"
    return _KINDS[kinds[0]], name


def _read_perms(text: str, perms: str) -> str:
    """As `rwx` with dashes, from letters in any order or one octal digit."""
    if re.fullmatch(r"[0-7]", perms, re.ASCII):
        bits = int(perms)
        return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
    if set(perms) - set("rwx-"):
        _refuse(text, f"{perms!r} is not made of r, w, x and -, nor one digit from 0 to 7")
    return "".join(letter if letter in perms else "-" for letter in "rwx")


def _refuse(text: str, why: str) -> NoReturn:
    raise ValueError(f"{text!r} is no entry of an access list: {why}")


def read_range(text: str) -> str:
    """An SELinux range, `s0`, `s0-s3:c1,c3.c5`, in its shortest form."""
    levels, colon, categories = text.partition(":")
    low, dash, high = levels.partition("-")
    first = _number(text, low, "s")
    last = _number(text, high, "s") if dash else first
    if last < first:
        raise ValueError(f"{text!r} is no range: s{last} is below s{first}")
    written = f"s{first}" if last == first else f"s{first}-s{last}"
    return f"{written}:{_categories(text, categories)}" if colon else written


def _categories(text: str, categories: str) -> str:
    numbers: list[int] = []
    for part in categories.split(","):
        low, dot, high = part.partition(".")
        first = _number(text, low, "c")
        last = _number(text, high, "c") if dot else first
        if not first <= last <= _LAST_CATEGORY:
            raise ValueError(f"{text!r} is no range: {part} is no category from c0 to c{_LAST_CATEGORY}")
        numbers += range(first, last + 1)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{text!r} is no range: a category stands there twice")
    return ",".join(_runs(sorted(numbers)))


def _runs(numbers: list[int]) -> list[str]:
    """Neighbouring numbers as `c3.c5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [f"c{low}" if low == high else f"c{low}.c{high}" for low, high in runs]


def _number(text: str, word: str, letter: str) -> int:
    if not re.fullmatch(letter + r"[0-9]{1,9}", word, re.ASCII):
        raise ValueError(f"{text!r} is no range: {word!r} is not {letter} and a number")
    return int(word[1:])
