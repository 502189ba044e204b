"""What a check finds: lists of facts, what would fail and at which lifecycle event, and what one should know."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MOST = 200  # entries of one message


class Explanation:
    """*lists*: by name, with plain JSON values. *problems*: the event that would fail, and why."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {
            name: []
            for name in ("removed", "kept", "directories", "copies", "retained", "permissions", "scripts", "space")
        }
        self.problems: list[dict[str, str]] = []
        self.notes: list[str] = []

    def hide(self, folder: str) -> None:
        """Name what is in the scratch *folder* as the bundle does."""
        for problem in self.problems:
            problem["message"] = problem["message"].replace(folder + "/", "").replace(folder, "the bundle")

    def problem(self, event: str, message: str) -> None:
        """*event* would fail. What is said twice counts once."""
        found = {"event": event, "message": message}
        if found not in self.problems[-50:]:
            self.problems.append(found)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def pieces(self) -> Iterator[dict[str, list[Any]]]:
        """Everything, in messages of a modest size: lists by name, to be joined in order."""
        for name, entries in [*self.lists.items(), ("problems", self.problems), ("notes", self.notes)]:
            for start in range(0, len(entries), _MOST):
                yield {name: entries[start : start + _MOST]}
