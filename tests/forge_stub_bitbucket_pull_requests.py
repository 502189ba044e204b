"""Pull requests and comments of Bitbucket's part of `forge_stub`: one memory, shown as Cloud and as Data Center show it.

Sources: Bitbucket Cloud REST API, "Pullrequests" and "Partial responses"; Bitbucket Data Center REST API, "Pull Requests".
"""

import re
from typing import Any, NamedTuple

ME, SOMEBODY_ELSE = 1, 2  # numbers of users
LONGEST = 32_767  # characters of a comment
_PLACE = re.compile(
    r"(?:/2\.0/repositories/(?P<cloud>[^/]+/[^/]+)|/rest/api/latest/projects/(?P<project>[^/]+)/repos/(?P<name>[^/]+))"
    r"/(?P<rest>(?:pullrequests|pull-requests|commits/[0-9a-f]+/pull-requests).*)"
)


class Said(NamedTuple):
    status: int
    body: Any = None


class Conversations:
    """*pull_requests*: by number, the last one that was touched last. *comments*: newest last.

    *tells_who_asks*: whether the token may be told whose it is. *in_forks*: commits that are in a fork alone.
    *gone_sources*: numbers of pull requests from forks that are not there any more.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.pull_requests: dict[int, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.merged: dict[str, list[int]] = {}  # commit to numbers of pull requests that it is the merge of
        self.merge_commit: str | None = None  # theirs, where it is another one
        self.tells_who_asks = True
        self.in_forks: set[str] = set()
        self.gone_sources: set[int] = set()

    def open(self, repository: str, number: int, head: str, *, base: str = "main", fork: str | None = None) -> None:
        """*fork*: the repository that *head* is in, where it is another one."""
        self.pull_requests.pop(number, None)
        self.pull_requests[number] = {"in": repository, "head": head, "base": base, "fork": fork}

    def close(self) -> None:
        self.pull_requests.clear()

    def say(self, number: int, text: str, by: int = SOMEBODY_ELSE) -> None:
        """Somebody comments."""
        own = len(self.comments) + 1
        self.comments.append({"id": own, "on": number, "text": text, "by": by, "version": 0, "deleted": False})

    def of(self, number: int) -> list[str]:
        """The texts of the comments on pull request *number*."""
        return [each["text"] for each in self.comments if each["on"] == number and not each["deleted"]]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Said | None:
        """None: it is nothing of this."""
        if path == "/2.0/user":
            denied = {
                "type": "error",
                "error": {"message": "Your credentials lack one or more required privilege scopes."},
            }
            return Said(200, _cloud_user(ME)) if self.tells_who_asks else Said(403, denied)
        if path == "/rest/api/latest/application-properties":
            return Said(200, {"version": "9.4.0", "displayName": "Bitbucket"})
        found = _PLACE.fullmatch(path)
        if found is None:
            return None
        rest = found["rest"].split("/")
        if found["cloud"]:
            return self._cloud(method, found["cloud"], rest, query, body)
        return self._data_center(method, f"{found['project']}/{found['name']}", rest, query, body)

    def _cloud(self, method: str, repository: str, rest: list[str], query: dict[str, str], body: Any) -> Said | None:
        match method, rest:
            case "GET", ["pullrequests"]:
                return _cloud_page(self._listed(repository, query["state"], self._on_cloud), query, most=50)
            case "GET", ["pullrequests", number, "commits"]:
                if int(number) in self.gone_sources:
                    return Said(404, {"type": "error", "error": {"message": "The source repository is gone"}})
                head = self.pull_requests[int(number)]["head"]
                return _cloud_page([{"type": "commit", "hash": head}, {"type": "commit", "hash": "0" * 40}], query)
            case "GET", ["pullrequests", number, "comments"]:
                there = [_cloud_comment(each) for each in self.comments if each["on"] == int(number)]
                return _cloud_page(there, query)
            case "POST", ["pullrequests", number, "comments"]:
                said = self._write(int(number), body["content"]["raw"])
                return said._replace(body=_cloud_comment(said.body) if said.status == 201 else said.body)
            case "PUT", ["pullrequests", _number, "comments", own]:
                there = self.comments[int(own) - 1]
                if there["by"] != ME:
                    return Said(403, {"type": "error", "error": {"message": "You may only edit your own comments."}})
                there["text"] = body["content"]["raw"]
                return Said(200, _cloud_comment(there))
        return None

    def _data_center(
        self, method: str, repository: str, rest: list[str], query: dict[str, str], body: Any
    ) -> Said | None:
        match method, rest:
            case "GET", ["pull-requests"]:
                return _page(self._listed(repository, query["state"], self._on_data_center), query)
            case "GET", ["commits", commit, "pull-requests"]:
                there = self._listed(repository, "MERGED", self._on_data_center)
                return _page([each for each in there if each["id"] in self.merged.get(commit, ())], query)
            case "GET", ["pull-requests", number, "activities"]:
                said = [each for each in reversed(self.comments) if each["on"] == int(number) and not each["deleted"]]
                opened = {"id": 0, "action": "OPENED"}
                return _page([*({"id": each["id"], **_commented(each)} for each in said), opened], query)
            case "POST", ["pull-requests", number, "comments"]:
                said = self._write(int(number), body["text"])
                return said._replace(body=_data_center_comment(said.body) if said.status == 201 else said.body)
            case "GET", ["pull-requests", _number, "comments", own]:
                return Said(200, _data_center_comment(self.comments[int(own) - 1]))
            case "PUT", ["pull-requests", _number, "comments", own]:
                return self._edit(self.comments[int(own) - 1], body)
        return None

    def _edit(self, there: dict[str, Any], body: Any) -> Said:
        if there["by"] != ME:
            return Said(401, {"errors": [{"message": "You are not permitted to edit this comment."}]})
        if body["version"] != there["version"]:
            return Said(
                409,
                {"errors": [{"message": "You are attempting to modify a comment that has changed."}]},
            )
        there.update(text=body["text"], version=there["version"] + 1)
        return Said(200, _data_center_comment(there))

    def _write(self, number: int, text: str) -> Said:
        if not 0 < len(text) <= LONGEST:
            return Said(400, {"errors": [{"message": "Please enter a non-empty value less than 32768 characters"}]})
        self.say(number, text, ME)
        return Said(201, self.comments[-1])

    def _listed(self, repository: str, state: str, shown: Any) -> list[dict[str, Any]]:
        if state == "OPEN":
            there = reversed(self.pull_requests.items())
            return [shown(number, each, None) for number, each in there if each["in"] == repository]
        gone = {"in": repository, "base": "main", "fork": None}
        return [
            shown(number, {**gone, "head": "c" * 40}, self.merge_commit or commit)
            for commit, numbers in self.merged.items()
            for number in numbers
        ]

    def _on_cloud(self, number: int, each: dict[str, Any], merge: str | None) -> dict[str, Any]:
        target = {"type": "repository", "full_name": each["in"], "uuid": f"{{{each['in']}}}"}
        source = {"type": "repository", "full_name": each["fork"], "uuid": f"{{{each['fork']}}}"}
        return {
            "type": "pullrequest",
            "id": number,
            "title": "a change",
            "state": "MERGED" if merge else "OPEN",
            "source": {
                "branch": {"name": "topic"},
                "commit": {"hash": each["head"][:12]},
                "repository": source if each["fork"] else target,
            },
            "destination": {
                "branch": {"name": each["base"]},
                "commit": {"hash": "0" * 12},
                "repository": target,
            },
            "merge_commit": {"hash": merge[:12]} if merge else None,
        }

    def _on_data_center(self, number: int, each: dict[str, Any], merge: str | None) -> dict[str, Any]:
        source, target = ({"id": 20 if name else 10, "slug": name or each["in"]} for name in (each["fork"], None))
        return {
            "id": number,
            "version": 3,
            "title": "a change",
            "state": "MERGED" if merge else "OPEN",
            "fromRef": {"id": "refs/heads/topic", "latestCommit": each["head"], "repository": source},
            "toRef": {"id": f"refs/heads/{each['base']}", "latestCommit": "0" * 40, "repository": target},
            **({"properties": {"mergeCommit": {"id": merge}}} if merge else {}),
        }


def _cloud_user(number: int) -> dict[str, Any]:
    return {"type": "user", "uuid": f"{{user-{number}}}", "display_name": f"user {number}"}


def _cloud_comment(each: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "pullrequest_comment",
        "id": each["id"],
        "deleted": each["deleted"],
        "content": {"type": "rendered", "raw": each["text"], "markup": "markdown"},
        "user": _cloud_user(each["by"]),
        "links": {
            "html": {"href": f"https://bitbucket.org/acme/shop/pull-requests/{each['on']}/_/diff#comment-{each['id']}"}
        },
    }


def _commented(each: dict[str, Any]) -> dict[str, Any]:
    return {"action": "COMMENTED", "commentAction": "ADDED", "comment": _data_center_comment(each)}


def _data_center_comment(each: dict[str, Any]) -> dict[str, Any]:
    author = {"name": data_center_name(each["by"]), "id": each["by"], "type": "NORMAL"}
    return {"id": each["id"], "version": each["version"], "text": each["text"], "author": author, "state": "OPEN"}


def data_center_name(number: int) -> str:
    return f"user {number}"


def _cloud_page(there: list[dict[str, Any]], query: dict[str, str], most: int = 100) -> Said:
    size, page = int(query.get("pagelen", 10)), int(query.get("page", 1))
    if size > most:
        return Said(400, {"type": "error", "error": {"message": "Invalid pagelen"}})
    more = {"next": "https://api.bitbucket.org/2.0/more"} if len(there) > page * size else {}
    shown = {"values": there[(page - 1) * size : page * size], "page": page, "pagelen": size, **more}
    return Said(200, _parts(shown, query["fields"].split(",")) if "fields" in query else shown)


def _parts(whole: Any, wanted: list[str]) -> Any:
    """A partial response: of each object only what *wanted* names, by dots."""
    if isinstance(whole, list):
        return [_parts(each, wanted) for each in whole]
    if not isinstance(whole, dict):
        return whole
    below: dict[str, list[str]] = {}
    for each in wanted:
        first, _, rest = each.partition(".")
        below.setdefault(first, []).extend([rest] if rest else [])
    return {name: _parts(each, below[name]) if below[name] else each for name, each in whole.items() if name in below}


def _page(there: list[dict[str, Any]], query: dict[str, str]) -> Said:
    size, start = int(query.get("limit", 25)), int(query.get("start", 0))
    is_last = start + size >= len(there)
    page = {"size": len(there[start : start + size]), "limit": size, "start": start, "isLastPage": is_last}
    return Said(
        200, {**page, "nextPageStart": None if is_last else start + size, "values": there[start : start + size]}
    )
