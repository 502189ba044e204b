"""GitHub's part of `forge_stub`. Its answers have the shapes of GitHub's OpenAPI description, which a test holds them to."""

import datetime as dt
import re
from typing import Any, NamedTuple

import jwt_check
from forge_stub_pull_requests import Conversations

_REPOSITORY = re.compile(r"/repos/(?P<repository>[^/]+/[^/]+)(?P<rest>/.*)?")
_AT = "2030-01-01T12:00:00Z"


class Says(NamedTuple):
    status: int
    body: Any = None


NOT_FOUND = Says(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


class GitHub:
    """*commits*: of each repository. *app*: ID and public key of an App; *installed*: the repositories that it is on."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.commits: dict[str, set[str]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.deployment_statuses: list[dict[str, Any]] = []
        self.app: tuple[str, Any] | None = None
        self.installed: list[str] = []
        self.app_tokens: dict[str, str] = {}  # token to its repository
        self.token_life = dt.timedelta(hours=1)
        self.conversations = Conversations(url)

    def add(self, repository: str, *commits: str) -> None:
        self.commits.setdefault(repository, set()).update(commits)

    def lets_in(self, token: str, path: str) -> bool:
        found = _REPOSITORY.fullmatch(path)
        return bool(found) and self.app_tokens.get(token) == (found and found["repository"])

    def app_answer(self, method: str, path: str, body: Any, token: str) -> Says | None:
        """What is asked as the App itself; None: nothing is."""
        asks_where = path.endswith("/installation")
        if not asks_where and not path.endswith("/access_tokens"):
            return None
        if self.app is None or (why := jwt_check.mistake(token, *self.app)):
            said = why if self.app else "there is no App"
            return Says(401, {"message": said, "documentation_url": "https://docs.github.com/rest"})
        if asks_where:
            repository = path.removeprefix("/repos/").removesuffix("/installation")
            return Says(200, self._installation(7)) if repository in self.installed else NOT_FOUND
        if path != "/app/installations/7/access_tokens":
            return NOT_FOUND
        known = {each.partition("/")[2]: each for each in self.installed}
        if any(name not in known for name in body["repositories"]):
            return _invalid("There is at least one repository that does not exist or is not accessible")
        made = f"ghs_{len(self.app_tokens)}"
        self.app_tokens[made] = known[body["repositories"][0]]
        until = dt.datetime.now(dt.UTC) + self.token_life
        return Says(
            201, {"token": made, "expires_at": f"{until:%Y-%m-%dT%H:%M:%SZ}", "permissions": {"statuses": "write"}}
        )

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Says:
        if path == "/user":
            return Says(*self.conversations.me())
        found = _REPOSITORY.fullmatch(path)
        if found is None or found["repository"] not in self.commits:
            return NOT_FOUND
        repository, rest = found["repository"], (found["rest"] or "").split("/")[1:]
        if said := self.conversations.answer(method, repository, rest, query, body):
            return Says(*said)
        match method, rest:
            case "POST", ["statuses", sha]:
                return self._status(repository, sha, body)
            case "GET", ["deployments"]:
                return self._list(repository, query)
            case "POST", ["deployments"]:
                return self._deployment(repository, body)
            case "POST", ["deployments", number, "statuses"]:
                return self._deployment_status(repository, int(number), body)
        return NOT_FOUND

    def _status(self, repository: str, sha: str, body: Any) -> Says:
        if sha not in self.commits[repository]:
            return _invalid(f"No commit found for SHA: {sha}")
        if len(body.get("description") or "") > 140:
            return _invalid("Validation Failed", "description is too long (maximum is 140 characters)")
        made = self._made("statuses", len(self.statuses), avatar_url=None, target_url=None, description=None) | body
        self.statuses.append({**made, "sha": sha, "repository": repository})
        return Says(201, made)

    def _list(self, repository: str, query: dict[str, str]) -> Says:
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        fitting = [
            each
            for each in reversed(self.deployments)
            if each["repository_url"].endswith(repository)
            and all(each[name] == query[name] for name in ("sha", "environment") if name in query)
        ]
        return Says(200, fitting[(page - 1) * size : page * size])

    def _deployment(self, repository: str, body: Any) -> Says:
        if body["ref"] not in self.commits[repository]:
            return _invalid(f"No ref found for: {body['ref']}")
        if body.get("required_contexts") is None:
            return Says(409, {"message": "Conflict: Commit status checks failed for master."})
        made = self._made(
            "deployments",
            len(self.deployments),
            sha=body["ref"],
            ref=body["ref"],
            task=body["task"],
            environment=body["environment"],
            original_environment=body["environment"],
            payload=body["payload"],
            description=body.get("description"),
            repository_url=f"{self.url}/repos/{repository}",
            statuses_url=f"{self.url}/repos/{repository}/deployments/{len(self.deployments)}/statuses",
        )
        self.deployments.append(made)
        return Says(201, made)

    def _deployment_status(self, repository: str, number: int, body: Any) -> Says:
        known = [each for each in self.deployments if each["id"] == number]
        if not known or not known[0]["repository_url"].endswith(repository):
            return NOT_FOUND
        if len(body.get("description", "")) > 140:
            return _invalid("Validation Failed", "description is too long (maximum is 140 characters)")
        made = {
            **self._made("deployment_statuses", len(self.deployment_statuses)),
            "state": body["state"],
            "description": body.get("description", ""),
            "target_url": body.get("log_url", ""),
            "log_url": body.get("log_url", ""),
            "deployment_url": known[0]["url"],
            "repository_url": known[0]["repository_url"],
        }
        self.deployment_statuses.append({**made, "deployment": number})
        return Says(201, made)

    def _made(self, kind: str, number: int, **more: Any) -> dict[str, Any]:
        common = {"id": number, "node_id": f"{kind}{number}", "url": f"{self.url}/{kind}/{number}"}
        return {**common, "created_at": _AT, "updated_at": _AT, "creator": self._user(), **more}

    def _installation(self, number: int) -> dict[str, Any]:
        urls = ("access_tokens_url", "repositories_url", "html_url")
        return {
            "id": number,
            "account": self._user(),
            "app_id": 12,
            "app_slug": "penstock",
            "target_id": 1,
            "target_type": "Organization",
            "repository_selection": "selected",
            "permissions": {"statuses": "write", "deployments": "write"},
            "events": [],
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": None,
            "created_at": _AT,
            "updated_at": _AT,
            **{name: f"{self.url}/{name}" for name in urls},
        }

    def _user(self) -> dict[str, Any]:
        names = "avatar events followers following gists html organizations received_events repos starred subscriptions"
        urls = {f"{name}_url": f"{self.url}/{name}" for name in names.split()}
        common = {"login": "penstock[bot]", "id": 1, "node_id": "U1", "gravatar_id": None, "url": self.url}
        return {**common, **urls, "type": "Bot", "site_admin": False}


def _invalid(message: str, detail: str | None = None) -> Says:
    body: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    if detail:
        body["errors"] = [{"resource": "Status", "field": "description", "code": "custom", "message": detail}]
    return Says(422, body)
