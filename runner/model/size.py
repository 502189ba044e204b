"""Amounts of bytes as people write them: `500MiB`, `2GiB`, `1.5GiB`."""

import re

from runner.errors import UserError

_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(KiB|MiB|GiB|TiB)", re.ASCII)
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes. Raises `UserError` when *text* is no size."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r} is not a size; write it as 500MiB, 2GiB or 1.5GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def format_size(size: int) -> str:
    """`1.5 GiB`, `17 KiB`, `300 B`: for people, rounded."""
    for unit, factor in reversed(_UNITS.items()):
        if size >= factor:
            amount = size / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{size} B"
