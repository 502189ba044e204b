"""Comments at pull requests on Bitbucket Cloud.

Who we are can be asked with a user's API token only: the tokens of a repository, a project or a workspace have no scope
for that. But a comment can be edited by nobody but its author. Source: Bitbucket Cloud REST API, "Pullrequests", "Users".
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from runner.errors import WorldError
from runner.forges.bitbucket import values
from runner.forges.client import Client
from runner.forges.comments import MOST_PAGES, PAGE, Comment, address
from runner.forges.rest import Deadline, Refusal

_FIELDS = "next,values.id,values.deleted,values.content.raw,values.user.uuid,values.links.html.href"
_UNTOLD = (401, 403)


class CloudConversation:
    """Of the repository `WORKSPACE/NAME`, whose path begins with *place*."""

    def __init__(self, client: Client, place: str) -> None:
        self._client, self._place = client, f"{place}/pullrequests"

    def comments(self, number: int, what: str, deadline: Deadline) -> Iterator[Comment]:
        for page in range(1, MOST_PAGES + 1):
            asked = urlencode({"pagelen": PAGE, "page": page, "fields": _FIELDS})
            path = f"{self._place}/{number}/comments?{asked}"
            content = self._client.call(what, "GET", path, None, deadline).content
            yield from (_read(each) for each in values(content, what) if not each.get("deleted"))
            if not is_more(content):
                return

    def me(self, deadline: Deadline) -> str | None:
        try:
            me = self._client.call("who the token belongs to", "GET", "/2.0/user", None, deadline).content
        except Refusal as error:
            if error.status in _UNTOLD:
                return None
            raise
        uuid = me.get("uuid") if isinstance(me, dict) else None
        return uuid if isinstance(uuid, str) else None

    def write(self, number: int, text: str, what: str, deadline: Deadline) -> str | None:
        path = f"{self._place}/{number}/comments"
        made = self._client.call(what, "POST", path, {"content": {"raw": text}}, deadline).content
        return _address(made)

    def edit(self, number: int, comment: Comment, text: str, what: str, deadline: Deadline) -> None:
        path = f"{self._place}/{number}/comments/{comment.id}"
        self._client.call(what, "PUT", path, {"content": {"raw": text}}, deadline)


def is_more(page: dict[str, Any]) -> bool:
    return bool(page.get("next"))


def _read(there: dict[str, Any]) -> Comment:
    content, user = there.get("content"), there.get("user")
    try:
        text = str(content["raw"] or "") if isinstance(content, dict) else ""
        by = (str(user["uuid"]),) if isinstance(user, dict) else ()
        return Comment(int(there["id"]), text, by, _address(there))
    except (KeyError, TypeError, ValueError) as error:
        raise WorldError("Bitbucket's answer has a comment of another shape than it describes") from error


def _address(there: Any) -> str | None:
    try:
        return address(there["links"]["html"]["href"])
    except (KeyError, TypeError):
        return None
