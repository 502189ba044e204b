"""Markdown for comments on a forge. Everything that comes from a repository is shown as it is, and means nothing.

On GitHub, in a line of text, it stands between `<code>` and `</code>`, each of its characters that is no letter, digit or
space as a number: no mark-up, no link, no mention of a person comes out of it. Bitbucket shows HTML as text: there it stands
in a span of code, and the two characters that could end that, or a cell of a table, are shown as similar ones. In a block it
stands in a fence that is longer than any within.
Sources: GitHub Flavored Markdown specification, "Entity and numeric character references", "Fenced code blocks"; Atlassian,
"Markdown syntax guide" of Bitbucket Data Center, "Mark up comments" of Bitbucket Cloud.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

_SIMILAR = str.maketrans("`|", "\u02cb\u00a6")
_MARGIN = 1_000  # characters of a comment that we leave free
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What steers a reader's eye or a terminal: control characters, zero-width ones, changes of direction."""


class Markup(Protocol):
    """How one kind of forge has its comments. *longest*: how long one may be."""

    longest: int

    def marker(self, name: str) -> str:
        """What nobody sees, and a comment of ours begins with; a line of its own, with an empty one below."""
        ...

    def code(self, text: str, most: int = 500) -> str:
        """*text* within a line, at most so many characters of it."""
        ...

    def folded(self, title: str, content: str) -> str:
        """*content* behind *title*, which is Markdown of one line; shown when somebody wants it, where that is possible."""
        ...

    def small(self, text: str) -> str:
        """Markdown of one line, as what matters less."""
        ...


class GitHubMarkup:
    longest = 65_536

    def marker(self, name: str) -> str:
        return f"<!-- penstock:{name} -->"

    def code(self, text: str, most: int = 500) -> str:
        line = _line(text, most)
        return f"<code>{''.join(map(_safe, line))}</code>" if line else ""

    def folded(self, title: str, content: str) -> str:
        return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"

    def small(self, text: str) -> str:
        return f"<sub>{text}</sub>"


class BitbucketMarkup:
    """Of Cloud and of Data Center. The marker is the definition of a link that nobody uses, which shows nothing."""

    longest = 32_767  # of Data Center; Cloud documents none

    def marker(self, name: str) -> str:
        return f"[//]: # (penstock:{name})"

    def code(self, text: str, most: int = 500) -> str:
        line = _line(text, most).translate(_SIMILAR)
        return f"`{line}`" if line else ""

    def folded(self, title: str, content: str) -> str:
        return f"#### {title}\n\n{content}"

    def small(self, text: str) -> str:
        return f"*{text}*"


def block(text: str, language: str = "") -> str:
    """*text* in a block of its own."""
    clean = _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    longest = max(map(len, re.findall("`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """*heads* and cells are Markdown already, of one line each."""
    lines = [heads, ["---"] * len(heads), *rows]  # one dash is not enough for older readers
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def fitting(first: str, sections: Sequence[str], last: str, longest: int) -> str:
    """*first*, as many *sections* as there is room for in so many characters, and *last*. Says how many were left out."""
    room, taken = longest - _MARGIN - _length(first) - _length(last), list[str]()
    for each in sections:
        if _length(each) + 2 > room:
            break
        taken.append(each)
        room -= _length(each) + 2
    left = len(sections) - len(taken)
    more = [f"*There is no room here for {left} more.*"] if left else []
    return "\n\n".join([first, *taken, *more, last])


def _line(text: str, most: int) -> str:
    line = " ".join(_UNSEEN.sub("\ufffd", text.replace("\r", " ")).split())
    return line if len(line) <= most else line[: most - 3] + "..."


def _length(text: str) -> int:
    """As Java counts it: a character beyond the first 65,536 of Unicode is two."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


def _safe(character: str) -> str:
    return character if character.isalnum() or character == " " else f"&#{ord(character)};"
