"""Pull requests, comments and check runs of GitHub's part of `forge_stub`, in the shapes of its OpenAPI description."""

from typing import Any, NamedTuple

_AT = "2030-01-01T12:00:00Z"
ME, SOMEBODY_ELSE = 1, 2  # numbers of users

# Names of addresses (before `_url`), of links, numbers and flags that GitHub's description demands.
_OF_PULL_REQUESTS = (
    "comments", "commits", "diff", "html", "issue", "patch", "review_comment", "review_comments", "statuses",
)  # fmt: skip
_LINKS = (
    "comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self",
)  # fmt: skip
_OF_REPOSITORIES = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents",
    "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks",
    "html", "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones",
    "notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams",
    "trees", "clone", "git", "ssh", "svn", "mirror",
)  # fmt: skip
_COUNTS = (
    "forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers",
    "watchers_count",
)  # fmt: skip
_FLAGS = (
    "has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages", "private", "archived", "disabled",
)  # fmt: skip


class Said(NamedTuple):
    status: int
    body: Any = None


class Conversations:
    """*pull_requests*: open ones, by `open`. *comments*, *checks*: newest last. *app_id*: of the App that asks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pull_requests: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.merged: dict[str, list[int]] = {}  # commit to numbers of pull requests that brought it
        self.merge_commit: str | None = None  # theirs, where it is another one
        self.app_id: int | None = None

    def open(self, repository: str, number: int, head: str, *, base: str = "main", fork: str | None = None) -> None:
        """*fork*: the repository that *head* is in, where it is another one."""
        self.pull_requests = [each for each in self.pull_requests if each["number"] != number]
        self.pull_requests.append(self._pull_request(repository, number, head, base, fork))

    def close(self) -> None:
        self.pull_requests.clear()

    def say(self, number: int, text: str, by: int = SOMEBODY_ELSE, app_id: int | None = None) -> None:
        """Somebody comments."""
        self.comments.append(self._comment(number, text, by, app_id))

    def of(self, number: int) -> list[str]:
        """The texts of the comments on pull request *number*."""
        return [each["body"] for each in self.comments if each["issue_url"].endswith(f"/{number}")]

    def answer(self, method: str, repository: str, rest: list[str], query: dict[str, str], body: Any) -> Said | None:
        """None: it is nothing of this."""
        match method, rest:
            case "GET", ["pulls"]:
                there = [each for each in self.pull_requests if each["base"]["repo"]["full_name"] == repository]
                return _page(there, query)
            case "GET", ["issues", number, "comments"]:
                return _page([each for each in self.comments if each["issue_url"].endswith(f"/{number}")], query)
            case "POST", ["issues", number, "comments"]:
                return self._say(int(number), body)
            case "PATCH", ["issues", "comments", number]:
                return self._edit(int(number), body)
            case "GET", ["commits", sha, "check-runs"]:
                there = [
                    each for each in self.checks if each["head_sha"] == sha and each["name"] == query["check_name"]
                ]
                return Said(200, {"total_count": len(there), "check_runs": there})
            case "POST", ["check-runs"]:
                return self._check(body)
            case "GET", ["commits", sha, "pulls"]:
                return _page([self._merged(repository, each, sha) for each in self.merged.get(sha, ())], query)
        return None

    def me(self) -> Said:
        if self.app_id is not None:
            return Said(403, {"message": "Resource not accessible by integration"})
        nothing = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
        counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
        times = {"created_at": _AT, "updated_at": _AT}
        return Said(200, {**self._user(ME), **nothing, **counts, **times, "user_view_type": "public"})

    def _say(self, number: int, body: Any) -> Said:
        if len(body["body"]) > 65_536:
            return Said(422, {"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest"})
        self.comments.append(self._comment(number, body["body"], ME, self.app_id))
        return Said(201, self.comments[-1])

    def _edit(self, number: int, body: Any) -> Said:
        for each in self.comments:
            if each["id"] == number:
                each["body"] = body["body"]
                return Said(200, each)
        return Said(404, {"message": "Not Found"})

    def _check(self, body: Any) -> Said:
        if self.app_id is None:
            return Said(403, {"message": "You must authenticate via a GitHub App."})
        number = len(self.checks)
        output = body["output"]
        made = {
            "id": number,
            "node_id": f"CR{number}",
            "head_sha": body["head_sha"],
            "name": body["name"],
            "external_id": body["external_id"],
            "url": f"{self.url}/check-runs/{number}",
            "html_url": f"{self.url}/runs/{number}",
            "details_url": body.get("details_url"),
            "status": body["status"],
            "conclusion": body["conclusion"],
            "started_at": _AT,
            "completed_at": _AT,
            "check_suite": {"id": 1},
            "pull_requests": [],
            "app": self._app(),
            "output": {
                "title": output["title"],
                "summary": output["summary"],
                "text": None,
                "annotations_count": len(output["annotations"]),
                "annotations_url": f"{self.url}/check-runs/{number}/annotations",
            },
        }
        self.checks.append(made)
        return Said(201, made)

    def _comment(self, number: int, text: str, by: int, app_id: int | None) -> dict[str, Any]:
        own = len(self.comments) + 1
        return {
            "id": own,
            "node_id": f"IC{own}",
            "url": f"{self.url}/comments/{own}",
            "html_url": f"{self.url}/pull/{number}#issuecomment-{own}",
            "issue_url": f"{self.url}/issues/{number}",
            "body": text,
            "user": self._user(by),
            "created_at": _AT,
            "updated_at": _AT,
            "author_association": "NONE",
            "performed_via_github_app": self._app(app_id) if app_id is not None else None,
        }

    def _app(self, app_id: int | None = None) -> dict[str, Any]:
        return {
            "id": app_id or self.app_id,
            "node_id": "A1",
            "owner": self._user(ME),
            "name": "penstock",
            "description": None,
            "external_url": self.url,
            "html_url": self.url,
            "created_at": _AT,
            "updated_at": _AT,
            "permissions": {"checks": "write"},
            "events": [],
        }

    def _pull_request(self, repository: str, number: int, head: str, base: str, fork: str | None) -> dict[str, Any]:
        nothing = dict.fromkeys(
            ("assignee", "auto_merge", "body", "closed_at", "merge_commit_sha", "merged_at", "milestone")
        )
        side = {"label": "acme:x", "user": self._user(SOMEBODY_ELSE)}
        return {
            "id": number,
            "node_id": f"PR{number}",
            "number": number,
            "url": f"{self.url}/repos/{repository}/pulls/{number}",
            **{f"{name}_url": f"{self.url}/{name}" for name in _OF_PULL_REQUESTS},
            **nothing,
            "labels": [],
            "state": "open",
            "locked": False,
            "title": "a change",
            "user": self._user(SOMEBODY_ELSE),
            "author_association": "NONE",
            "created_at": _AT,
            "updated_at": _AT,
            "head": {
                **side,
                "ref": "topic",
                "sha": head,
                "repo": self._repository(fork or repository, fork is not None),
            },
            "base": {**side, "ref": base, "sha": "0" * 40, "repo": self._repository(repository, False)},
            "_links": {name: {"href": self.url} for name in _LINKS},
        }

    def _merged(self, repository: str, number: int, sha: str) -> dict[str, Any]:
        made = self._pull_request(repository, number, sha, "main", None)
        return made | {"state": "closed", "merged_at": _AT, "merge_commit_sha": self.merge_commit or sha}

    def _repository(self, name: str, fork: bool) -> dict[str, Any]:
        return {
            "id": 20 if fork else 10,
            "node_id": "R1",
            "name": name.partition("/")[2],
            "full_name": name,
            "owner": self._user(SOMEBODY_ELSE),
            "fork": fork,
            "url": f"{self.url}/repos/{name}",
            **{f"{each}_url": f"{self.url}/{each}" for each in _OF_REPOSITORIES},
            **dict.fromkeys(_COUNTS, 0),
            **dict.fromkeys(_FLAGS, False),
            **dict.fromkeys(("description", "homepage", "language", "license")),
            **dict.fromkeys(("pushed_at", "created_at", "updated_at"), _AT),
            "default_branch": "main",
        }

    def _user(self, number: int) -> dict[str, Any]:
        names = "avatar events followers following gists html organizations received_events repos starred subscriptions"
        urls = {f"{name}_url": f"{self.url}/{name}" for name in names.split()}
        login = {"login": f"user{number}", "id": number, "node_id": f"U{number}", "gravatar_id": None, "url": self.url}
        return {**login, **urls, "type": "User", "site_admin": False}


def _page(there: list[dict[str, Any]], query: dict[str, str]) -> Said:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return Said(200, there[(page - 1) * size : page * size])
