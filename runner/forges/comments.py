"""One comment of each kind at a pull request on GitHub: written once, then edited.

It is found by its hidden marker and by who wrote it, each time: what we would note of it ourselves could be lost between
its creation and our note, what GitHub has is not. A comment of somebody else with the same marker is left alone.
Source: GitHub's REST documentation, version 2022-11-28, "Issue comments", "Get the authenticated user".
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from runner.errors import WorldError
from runner.forges.client import Client
from runner.forges.rest import Deadline

_PAGE, _MOST_PAGES = 100, 10

Own: TypeAlias = Callable[[Any], bool]
"""Whether a comment, as GitHub shows it, is ours."""


class Comments:
    """Of the repository `OWNER/NAME`. *app_id*: of the GitHub App that we are; None: a person, by the token."""

    def __init__(self, client: Client, repository: str, app_id: str | None = None) -> None:
        self._client, self._repository, self._app_id = client, repository, app_id

    def put(self, number: int, marker: str, text: str, deadline: Deadline) -> str | None:
        """Have our comment with *marker* say *text*, which begins with it. Returns its address. Raises `WorldError`."""
        what = f"a comment on {self._repository}#{number}"
        known = self._found(number, marker, what, deadline)
        if known is not None and _same(known.get("body"), text):
            return _address(known)
        place = f"/repos/{self._repository}/issues"
        if known is None:
            answer = self._client.call(what, "POST", f"{place}/{number}/comments", {"body": text}, deadline)
        else:
            path = f"{place}/comments/{int(known['id'])}"
            answer = self._client.call(what, "PATCH", path, {"body": text}, deadline)
        return _address(answer.content)

    def _found(self, number: int, marker: str, what: str, deadline: Deadline) -> dict[str, Any] | None:
        own: Own | None = None  # who we are is asked only where a comment may be ours
        for page in range(1, _MOST_PAGES + 1):
            path = f"/repos/{self._repository}/issues/{number}/comments?per_page={_PAGE}&page={page}"
            content = self._client.call(what, "GET", path, None, deadline).content
            there = content if isinstance(content, list) else []
            for each in there:
                if not (isinstance(each, dict) and str(each.get("body") or "").startswith(marker)):
                    continue
                own = own or self._own(deadline)
                if own(each):
                    return each
            if len(there) < _PAGE:
                return None
        return None

    def _own(self, deadline: Deadline) -> Own:
        if self._app_id is not None:
            app_id = self._app_id
            return lambda comment: app_id in _app_of(comment)
        me = self._client.call("who the token belongs to", "GET", "/user", None, deadline).content
        number = me.get("id") if isinstance(me, dict) else None
        if not isinstance(number, int):
            raise WorldError("GitHub does not say to whom the token belongs")
        return lambda comment: isinstance(user := comment.get("user"), dict) and user.get("id") == number


def _app_of(comment: dict[str, Any]) -> tuple[str, ...]:
    """Both names that the App has by which it was written."""
    app = comment.get("performed_via_github_app")
    return (str(app.get("id")), str(app.get("client_id"))) if isinstance(app, dict) else ()


def _same(there: Any, text: str) -> bool:
    return isinstance(there, str) and there.replace("\r\n", "\n").rstrip() == text.rstrip()


def _address(comment: Any) -> str | None:
    url = comment.get("html_url") if isinstance(comment, dict) else None
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None
