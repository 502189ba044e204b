"""Comments at pull requests on Bitbucket Data Center.

They are listed among all that happened at a pull request. Each has a version: an edit of another one is refused, so that
nobody overwrites what he has not seen. Who we are is in a header of each answer.
Source: Bitbucket Data Center REST API, "Pull Requests"; Atlassian's staff on X-AUSERNAME, in its developer community.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from runner.errors import WorldError
from runner.forges.bitbucket import values
from runner.forges.client import Client
from runner.forges.comments import PAGE, Comment, same
from runner.forges.rest import Deadline, Refusal

_OLD_VERSION = 409
_MOST_PAGES = 50
_TRIES = 3


class DataCenterConversation:
    """Of the repository whose paths begin with *place*, and whose pages with *web*."""

    def __init__(self, client: Client, place: str, web: str) -> None:
        self._client, self._place, self._web = client, f"{place}/pull-requests", f"{web}/pull-requests"

    def comments(self, number: int, what: str, deadline: Deadline) -> Iterator[Comment]:
        """The newest first: ours may be the last of all, so none is left out."""
        start: object = 0
        for _ in range(_MOST_PAGES):
            path = f"{self._place}/{number}/activities?limit={PAGE}&start={start}"
            content = self._client.call(what, "GET", path, None, deadline).content
            for each in values(content, what):
                if each.get("action") == "COMMENTED" and isinstance(each.get("comment"), dict):
                    yield self._read(number, each["comment"])
            start = content.get("nextPageStart")
            if content.get("isLastPage") is not False or not isinstance(start, int):
                return
        raise WorldError(f"{what}: more has happened there than is read")

    def me(self, deadline: Deadline) -> str | None:
        path = "/rest/api/latest/application-properties"
        answer = self._client.call("who the token belongs to", "GET", path, None, deadline)
        return unquote_plus(answer.headers.get("x-ausername", "")) or None

    def write(self, number: int, text: str, what: str, deadline: Deadline) -> str | None:
        made = self._client.call(what, "POST", f"{self._place}/{number}/comments", {"text": text}, deadline).content
        return self._read(number, made).address if isinstance(made, dict) else None

    def edit(self, number: int, comment: Comment, text: str, what: str, deadline: Deadline) -> None:
        path, there = f"{self._place}/{number}/comments/{comment.id}", comment
        for _ in range(_TRIES):
            try:
                self._client.call(what, "PUT", path, {"text": text, "version": there.version}, deadline)
                return
            except Refusal as error:
                if error.status != _OLD_VERSION:
                    raise
            there = self._read(number, self._client.call(what, "GET", path, None, deadline).content)
            if same(there.text, text):
                return
        raise WorldError(f"{what} is edited by somebody else at the same time")

    def _read(self, number: int, there: Any) -> Comment:
        try:
            own, author = int(there["id"]), there.get("author")
            by = (str(author["name"]),) if isinstance(author, dict) else ()
            page = f"{self._web}/{number}/overview?commentId={own}"
            return Comment(own, str(there.get("text") or ""), by, page, int(there["version"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WorldError("Bitbucket's answer has a comment of another shape than it describes") from error
