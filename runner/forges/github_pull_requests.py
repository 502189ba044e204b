"""Pull requests on GitHub: which are open, and what merging one would deploy, as a comment and as a check.

A check run, which shows mistakes at their lines, needs a GitHub App. With a token it is the commit status `penstock/plan`.
Source: GitHub's REST documentation, version 2022-11-28, "Pull requests", "Check runs", "Commit statuses".
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from runner.errors import Mistake
from runner.forges.client import Client
from runner.forges.comments import Comments, listed
from runner.forges.github_comments import GitHubConversation
from runner.forges.markdown import GitHubMarkup
from runner.forges.rest import Deadline
from runner.model.pull_request import CHECK, Preview, PullRequest, RolloutReport
from runner.model.revision import is_commit_id

_LONGEST = 4_000  # characters of an annotation
MOST_ANNOTATIONS = 50  # GitHub takes so many in one request


class GitHubPullRequests:
    """Of *repository*, `OWNER/NAME`, which the configuration calls *name*. *app_id*: as of `Comments`."""

    def __init__(self, client: Client, name: str, repository: str, app_id: str | None = None) -> None:
        self._client, self._name, self._repository, self._is_app = client, name, repository, app_id is not None
        self._comments = Comments(GitHubConversation(client, repository, app_id), GitHubMarkup(), repository)

    def open(self, told: Collection[str], deadline: Deadline) -> Sequence[PullRequest]:
        """The hundred that were touched last."""
        asked = {"state": "open", "sort": "updated", "direction": "desc", "per_page": 100}
        path = f"/repos/{self._repository}/pulls?{urlencode(asked)}"
        what = f"the open pull requests of {self._repository}"

        def read(content: Any) -> Sequence[PullRequest]:
            return [found for each in listed(content, what) if (found := self._read(each)) is not None]

        return self._client.again(what, path, read, deadline)

    def tell(self, wanted: PullRequest, preview: Preview, deadline: Deadline) -> None:
        text, address = self._comments.tell(wanted.number, preview, deadline)
        if self._is_app:
            self._check(preview, text, address, deadline)
        else:
            self._status(preview, address, deadline)

    def tell_rollout(self, report: RolloutReport, board: str | None, deadline: Deadline) -> None:
        """Say at the pull request whose merge it is how the deployments of a commit go; nothing where there is none.

        *board*: where people look; None: nowhere.
        """
        path = f"/repos/{self._repository}/commits/{report.commit_id}/pulls?per_page=100"
        what = f"the pull requests of {self._repository}@{report.commit_id[:10]}"
        content = self._client.call(what, "GET", path, None, deadline).content
        for each in content if isinstance(content, list) else ():
            if isinstance(each, dict) and _is_merge(each, report.commit_id) and isinstance(each.get("number"), int):
                self._comments.tell_rollout(each["number"], report, board, deadline)

    def _read(self, each: Any) -> PullRequest | None:
        """None for what has not the shape that GitHub describes."""
        try:
            number, head, base = each["number"], each["head"], each["base"]
            source = head["repo"]  # null when the fork is gone
            is_fork = source is None or source["id"] != base["repo"]["id"]
            sha, branch = head["sha"], base["ref"]
        except (KeyError, TypeError):
            return None
        if not (isinstance(number, int) and isinstance(branch, str) and is_commit_id(sha)):
            return None
        return PullRequest(repository=self._name, number=number, head=sha, base_branch=branch, is_fork=is_fork)

    def _status(self, preview: Preview, address: str | None, deadline: Deadline) -> None:
        state = "failure" if preview.state == "Refused" else "success"
        body = {"state": state, "context": CHECK, "description": preview.text}
        path = f"/repos/{self._repository}/statuses/{preview.head}"
        what = f"the plan of {self._repository}@{preview.head[:10]}"
        self._client.call(what, "POST", path, body | ({"target_url": address} if address else {}), deadline)

    def _check(self, preview: Preview, text: str, address: str | None, deadline: Deadline) -> None:
        """A check run is made once for what it says; another one of the same name takes its place."""
        identity, what = _identity(preview, text), f"the check of {self._repository}@{preview.head[:10]}"
        asked = urlencode({"check_name": CHECK, "filter": "latest", "per_page": 100})
        path = f"/repos/{self._repository}/commits/{preview.head}/check-runs?{asked}"
        there = self._client.call(what, "GET", path, None, deadline).content
        runs = there.get("check_runs") if isinstance(there, dict) else None
        if any(isinstance(each, dict) and each.get("external_id") == identity for each in runs or ()):
            return
        body = {
            "name": CHECK,
            "head_sha": preview.head,
            "external_id": identity,
            "status": "completed",
            "conclusion": "failure" if preview.state == "Refused" else "success",
            "output": {
                "title": preview.text,
                "summary": text,
                "annotations": [_annotation(each) for each in preview.mistakes[:MOST_ANNOTATIONS]],
            },
        }
        body |= {"details_url": address} if address else {}
        self._client.call(what, "POST", f"/repos/{self._repository}/check-runs", body, deadline)


def _is_merge(pull_request: dict[str, Any], commit_id: str) -> bool:
    """Whether *commit_id* is what the pull request became: by merge, by squash, or the last one of a rebase."""
    return pull_request.get("merged_at") is not None and pull_request.get("merge_commit_sha") == commit_id


def _identity(preview: Preview, text: str) -> str:
    return hashlib.sha256(f"{preview.state} {preview.text}\n{text}".encode(errors="replace")).hexdigest()[:40]


def _annotation(mistake: Mistake) -> dict[str, object]:
    line = max(1, mistake.line)
    return {
        "path": mistake.file,
        "start_line": line,
        "end_line": line,
        "annotation_level": "failure",
        "message": (f"{mistake.path}: {mistake.message}" if mistake.path else mistake.message)[:_LONGEST],
    }
