"""One comment of each kind at a pull request: written once, then edited.

It is found by its hidden marker and by who wrote it, each time: what we would note of it ourselves could be lost between
its creation and our note, what the forge has is not. A comment of somebody else with the same marker is left alone.
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any, NamedTuple, Protocol

from runner.errors import WorldError
from runner.forges.markdown import Markup
from runner.forges.preview_text import PLAN, preview_comment
from runner.forges.rest import Deadline, Refusal
from runner.forges.rollout_text import ROLLOUT, rollout_comment
from runner.model.pull_request import Preview, RolloutReport

PAGE, MOST_PAGES = 100, 10
_NOT_ALLOWED = (401, 403)  # what forges say to those who edit a comment of somebody else


class Comment(NamedTuple):
    """One that is there. *by*: the names of who wrote it. *version*: of Bitbucket Data Center, by which it is edited."""

    id: int
    text: str
    by: tuple[str, ...]
    address: str | None = None
    version: int = 0


class Conversation(Protocol):
    """The comments at pull requests of one repository. Methods raise `WorldError` with *what* in it."""

    def comments(self, number: int, what: str, deadline: Deadline) -> Iterator[Comment]:
        """The oldest first, or the newest."""
        ...

    def me(self, deadline: Deadline) -> str | None:
        """How we are called where a comment says who wrote it; None where the forge does not tell us."""
        ...

    def write(self, number: int, text: str, what: str, deadline: Deadline) -> str | None:
        """Returns the comment's address."""
        ...

    def edit(self, number: int, comment: Comment, text: str, what: str, deadline: Deadline) -> None: ...


class Comments:
    """Ours at pull requests of *repository*, which people know by that name."""

    def __init__(self, conversation: Conversation, markup: Markup, repository: str) -> None:
        self._conversation, self._markup, self._repository = conversation, markup, repository

    def tell(self, number: int, preview: Preview, deadline: Deadline) -> tuple[str, str | None]:
        """Returns the comment's text and its address."""
        text = preview_comment(preview, self._markup)
        return text, self._put(number, PLAN, text, deadline)

    def tell_rollout(self, number: int, report: RolloutReport, board: str | None, deadline: Deadline) -> None:
        self._put(number, ROLLOUT, rollout_comment(report, board, self._markup), deadline)

    def _put(self, number: int, kind: str, text: str, deadline: Deadline) -> str | None:
        """Have our comment of that *kind* say *text*, which begins with its marker. Returns its address."""
        what, marker = f"a comment on {self._repository}#{number}", self._markup.marker(kind)
        who = cache(partial(self._conversation.me, deadline))  # asked only where a comment may be ours
        for each in self._conversation.comments(number, what, deadline):
            if each.text.startswith(marker) and self._is_changed(number, each, text, who(), what, deadline):
                return each.address
        return self._conversation.write(number, text, what, deadline)

    def _is_changed(
        self, number: int, there: Comment, text: str, me: str | None, what: str, deadline: Deadline
    ) -> bool:
        """Whether *there* says *text* now; False where it is somebody else's. *me*: None for unknown, then it is tried."""
        if me is not None and me not in there.by:
            return False
        if me is not None and same(there.text, text):
            return True
        try:
            self._conversation.edit(number, there, text, what, deadline)
        except Refusal as error:
            if me is None and error.status in _NOT_ALLOWED:
                return False  # only who wrote it may edit it
            raise
        return True


def same(there: str, text: str) -> bool:
    return there.replace("\r\n", "\n").rstrip() == text.rstrip()


def listed(content: Any, what: str) -> list[dict[str, Any]]:
    """The objects of a list that a forge has sent. Raises `WorldError` for anything else: a list that we cannot read
    is not an empty one, and what is on it would be made a second time.
    """
    if not isinstance(content, list):
        raise WorldError(f"the forge's answer does not list what is asked for {what}")
    return [each for each in content if isinstance(each, dict)]


def address(url: Any) -> str | None:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None
