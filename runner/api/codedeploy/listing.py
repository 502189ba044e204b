"""Pages of names: each goes on behind the last name of the one before, so what comes and goes meanwhile moves no other."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from runner.api.call import Call, Result

SIZE = 100  # AWS documents none

Fetch: TypeAlias = Callable[[str | None, int], Sequence[str]]
"""Takes the last name of the page before (None: begin) and how many names are wanted, in their order."""


def name_page(call: Call, member: str, fetch: Fetch) -> Result:
    """One page of names, under *member*, with a next token when there are more. Raises `Refused`, InvalidNextToken."""
    position = call.pages.after()
    names = list(fetch(position["after"] if position else None, SIZE + 1))
    page = names[:SIZE]
    more = len(names) > SIZE
    return {member: page, "nextToken": call.pages.token({"after": page[-1]}) if more else None}
