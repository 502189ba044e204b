"""Markdown for comments on GitHub. Everything that comes from a repository is shown as it is, and means nothing.

In a line of text it stands between `<code>` and `</code>`, each of its characters that is no letter, digit or space as a
number: no mark-up, no link, no mention of a person comes out of it. In a block it stands in a fence that is longer than
any within. Source: GitHub Flavored Markdown specification, "Entity and numeric character references", "Fenced code blocks".
"""

import re
from collections.abc import Iterable, Sequence

LONGEST = 65_536  # characters of a comment, of GitHub
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What steers a reader's eye or a terminal: control characters, zero-width ones, changes of direction."""


def code(text: str, most: int = 500) -> str:
    """*text* within a line, at most so many characters of it."""
    line = " ".join(_UNSEEN.sub("\ufffd", text.replace("\r", " ")).split())
    if len(line) > most:
        line = line[: most - 3] + "..."
    if not line:
        return ""
    return f"<code>{''.join(map(_safe, line))}</code>"


def block(text: str, language: str = "") -> str:
    """*text* in a block of its own."""
    clean = _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    longest = max(map(len, re.findall("`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """*heads* and cells are Markdown already, of one line each."""
    lines = [heads, ["-"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def folded(title: str, content: str) -> str:
    """*content* behind *title*, which is Markdown of one line; shown when somebody wants it."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def fitting(first: str, sections: Sequence[str], last: str, most: int = LONGEST - 1_000) -> str:
    """*first*, as many *sections* as there is room for, and *last*. Says how many were left out."""
    room, taken = most - len(first) - len(last), list[str]()
    for each in sections:
        if len(each) + 2 > room:
            break
        taken.append(each)
        room -= len(each) + 2
    left = len(sections) - len(taken)
    more = [f"*There is no room here for {left} more.*"] if left else []
    return "\n\n".join([first, *taken, *more, last])


def _safe(character: str) -> str:
    return character if character.isalnum() or character == " " else f"&#{ord(character)};"
