"""What a template may know: the names in scope, and the mistake that it ends in when it asks for more."""

from collections.abc import Mapping
from typing import Any

from runner.errors import UserError


class TemplateMistake(UserError):
    """What is wrong with a template, in words that need no place."""


class Names(dict[str, Any]):
    """Names in scope: text, numbers, booleans and further `Names`. *path* is where they hang: `commit`, or "" at the top.

    *hint* says what to do about a name that is not there.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "", hint: str = "") -> None:
        super().__init__(values)
        self.path = path
        self.hint = hint

    def missing(self, name: str) -> str:
        """Why *name* is not there, for a person."""
        import difflib

        prefix = f"{self.path}." if self.path else ""
        if near := difflib.get_close_matches(name, self, n=1):
            return f"{prefix}{name} is not defined; did you mean {prefix}{near[0]}?"
        return f"{prefix}{name} is not defined" + (f"; {self.hint}" if self.hint else "")
