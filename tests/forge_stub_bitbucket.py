"""Bitbucket's part of `forge_stub`, Cloud and Data Center: build statuses and deployments, with their documented limits.

Each answer of Data Center says in a header who has asked.

Source: Bitbucket Cloud REST API, "Create a build status for a commit"; Bitbucket Data Center REST API, "Builds and
Deployments".
"""

import re
from typing import Any
from urllib.parse import quote_plus

from forge_stub_bitbucket_pull_requests import ME, Conversations, data_center_name
from forge_stub_github import Says

_CLOUD = re.compile(r"/2\.0/repositories/(?P<repository>[^/]+/[^/]+)/commit/(?P<commit>[0-9a-f]+)/statuses/build")
_DATA_CENTER = re.compile(
    r"/rest/api/latest/projects/(?P<project>[^/]+)/repos/(?P<name>[^/]+)/commits/(?P<commit>[0-9a-f]+)"
    r"/(?P<what>builds|deployments)"
)
_CLOUD_STATES = ("SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED")
_DATA_CENTER_STATES = ("SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN")
_DEPLOYMENT_STATES = ("PENDING", "IN_PROGRESS", "CANCELLED", "FAILED", "ROLLED_BACK", "SUCCESSFUL", "UNKNOWN")
_NO_ENDPOINT = Says(404, {"message": "null for uri", "status-code": 404})
_TIERS = ("DEVELOPMENT", "TESTING", "STAGING", "PRODUCTION")


class Bitbucket:
    """*builds*: by repository, commit and key; a later one takes the place of the one before. *history*: states of all.

    *deployments*: by repository, key, environment and number, in the same way; *deployment_history*: all that was told.
    *has_deployments*: as Data Center has them since 7.16; before, the endpoint is not there.
    """

    def __init__(self, url: str) -> None:
        self.repositories: set[str] = set()
        self.conversations = Conversations(url)
        self.builds: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.history: list[str] = []
        self.deployments: dict[tuple[str, str, str, int], dict[str, Any]] = {}
        self.deployment_history: list[str] = []
        self.has_deployments = True

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Says:
        if (said := self.conversations.answer(method, path, query, body)) is not None:
            return Says(said.status, said.body)
        if method == "POST" and (found := _CLOUD.fullmatch(path)):
            return self._cloud(found["repository"], found["commit"], body)
        if method == "POST" and (found := _DATA_CENTER.fullmatch(path)):
            repository = f"{found['project']}/{found['name']}"
            if found["what"] == "builds":
                return self._data_center(repository, found["commit"], body)
            return self._deployment(repository, found["commit"], body) if self.has_deployments else _NO_ENDPOINT
        return Says(404, {"type": "error", "error": {"message": "Resource not found"}})

    def headers(self, path: str) -> dict[str, str]:
        """Of each answer to this path."""
        if not path.startswith("/rest/") or not self.conversations.tells_who_asks:
            return {}
        return {"X-AUSERNAME": quote_plus(data_center_name(ME))}

    def _cloud(self, repository: str, commit: str, body: Any) -> Says:
        if repository not in self.repositories:
            return Says(404, {"type": "error", "error": {"message": f"Repository {repository} not found"}})
        if commit in self.conversations.in_forks:
            return Says(404, {"type": "error", "error": {"message": "Commit not found"}})
        if body.get("state") not in _CLOUD_STATES or not body.get("url", "").startswith("http") or not body.get("key"):
            return Says(400, {"type": "error", "error": {"message": "Bad request"}})
        if len(body["key"]) > 40:
            return Says(
                400, {"type": "error", "error": {"message": "key: Ensure this value has at most 40 characters"}}
            )
        return Says(200 if self._keep(repository, commit, body) else 201, {"type": "build", **body})

    def _data_center(self, repository: str, commit: str, body: Any) -> Says:
        if repository not in self.repositories:
            return Says(404, {"errors": [{"message": f"Repository {repository} does not exist."}]})
        if body.get("state") not in _DATA_CENTER_STATES or not body.get("url", "").startswith("http"):
            return Says(400, {"errors": [{"message": "The build status was not valid"}]})
        self._keep(repository, commit, body)
        return Says(204)

    def _deployment(self, repository: str, commit: str, body: Any) -> Says:
        if repository not in self.repositories:
            return Says(404, {"errors": [{"message": f"Repository {repository} does not exist."}]})
        place, number = body["environment"], body["deploymentSequenceNumber"]
        texts = (body["key"], body["displayName"], body["description"], place["key"], place["displayName"])
        if (
            body["state"] not in _DEPLOYMENT_STATES
            or place.get("type", "PRODUCTION") not in _TIERS
            or not body["url"].startswith("http")
            or not all(0 < len(text) <= 255 for text in texts)
            or type(number) is not int
        ):
            return Says(400, {"errors": [{"message": "The deployment was not valid"}]})
        self.deployments[repository, body["key"], place["key"], number] = body | {"commit": commit}
        self.deployment_history.append(body["state"])
        return Says(200, body)

    def _keep(self, repository: str, commit: str, body: Any) -> bool:
        place = (repository, commit, body["key"])
        known = place in self.builds
        self.builds[place] = body
        self.history.append(body["state"])
        return known
