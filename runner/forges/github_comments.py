"""Comments at pull requests on GitHub.

Source: GitHub's REST documentation, version 2022-11-28, "Issue comments", "Get the authenticated user".
"""

from collections.abc import Iterator
from typing import Any

from runner.errors import WorldError
from runner.forges.client import Client
from runner.forges.comments import MOST_PAGES, PAGE, Comment, address, listed
from runner.forges.rest import Deadline


class GitHubConversation:
    """Of the repository `OWNER/NAME`. *app_id*: of the GitHub App that we are; None: a person, by the token."""

    def __init__(self, client: Client, repository: str, app_id: str | None = None) -> None:
        self._client, self._place, self._app_id = client, f"/repos/{repository}/issues", app_id

    def comments(self, number: int, what: str, deadline: Deadline) -> Iterator[Comment]:
        for page in range(1, MOST_PAGES + 1):
            path = f"{self._place}/{number}/comments?per_page={PAGE}&page={page}"
            there = listed(self._client.call(what, "GET", path, None, deadline).content, what)
            yield from map(_read, there)
            if len(there) < PAGE:
                return

    def me(self, deadline: Deadline) -> str | None:
        if self._app_id is not None:
            return f"app {self._app_id}"
        me = self._client.call("who the token belongs to", "GET", "/user", None, deadline).content
        number = me.get("id") if isinstance(me, dict) else None
        if not isinstance(number, int):
            raise WorldError("GitHub does not say to whom the token belongs")
        return f"user {number}"

    def write(self, number: int, text: str, what: str, deadline: Deadline) -> str | None:
        made = self._client.call(what, "POST", f"{self._place}/{number}/comments", {"body": text}, deadline).content
        return address(made.get("html_url")) if isinstance(made, dict) else None

    def edit(self, number: int, comment: Comment, text: str, what: str, deadline: Deadline) -> None:
        self._client.call(what, "PATCH", f"{self._place}/comments/{comment.id}", {"body": text}, deadline)


def _read(there: dict[str, Any]) -> Comment:
    return Comment(int(there["id"]), str(there.get("body") or ""), _names(there), address(there.get("html_url")))


def _names(there: dict[str, Any]) -> tuple[str, ...]:
    """Of who wrote it: the user, or both names that the App has by which it was written."""
    user, app = there.get("user"), there.get("performed_via_github_app")
    names = [f"user {user.get('id')}"] if isinstance(user, dict) else []
    return (*names, *(f"app {app.get(key)}" for key in ("id", "client_id") if isinstance(app, dict)))
