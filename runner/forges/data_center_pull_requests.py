"""Pull requests on Bitbucket Data Center: which are open; what merging one would deploy, as a comment and a build status.

Source: Bitbucket Data Center REST API, "Pull Requests", "Builds and Deployments", "Repository".
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from runner.forges.bitbucket import check_body, values
from runner.forges.client import Client
from runner.forges.comments import Comments
from runner.forges.data_center_comments import DataCenterConversation
from runner.forges.markdown import BitbucketMarkup
from runner.forges.rest import Deadline
from runner.model.pull_request import Preview, PullRequest, RolloutReport
from runner.model.revision import is_commit_id

_PAGE, _MOST_OPEN = 50, 100
_BRANCHES = "refs/heads/"


class DataCenterPullRequests:
    """Of *repository*, `PROJECT/NAME` as in addresses, at *web_url*; the configuration calls it *name*."""

    def __init__(self, client: Client, name: str, repository: str, web_url: str) -> None:
        project, _, slug = repository.partition("/")
        self._client, self._name, self._repository = client, name, repository
        path = f"/projects/{project}/repos/{slug}"
        self._place, self._web = f"/rest/api/latest{path}", f"{web_url}{path}"
        conversation = DataCenterConversation(client, self._place, self._web)
        self._comments = Comments(conversation, BitbucketMarkup(), repository)

    def open(self, told: Collection[str], deadline: Deadline) -> Sequence[PullRequest]:
        """The hundred newest."""
        asked = urlencode({"state": "OPEN", "order": "NEWEST", "withProperties": "false"})
        path = f"{self._place}/pull-requests?{asked}"
        found = (self._read(each) for each in self._listed(path, deadline))
        return [each for each in found if each is not None]

    def tell(self, wanted: PullRequest, preview: Preview, deadline: Deadline) -> None:
        _, address = self._comments.tell(wanted.number, preview, deadline)
        body = check_body(preview, address or f"{self._web}/pull-requests/{wanted.number}")
        body["parent"] = body["key"]  # by which an administrator demands it of merges
        path = f"{self._place}/commits/{preview.head}/builds"
        self._client.call(f"the plan of {self._repository}@{preview.head[:10]}", "POST", path, body, deadline)

    def tell_rollout(self, report: RolloutReport, board: str | None, deadline: Deadline) -> None:
        """Say at the pull request whose merge it is how the deployments of a commit go; nothing where there is none.

        *board*: where people look; None: nowhere.
        """
        for each in self._listed(f"{self._place}/commits/{report.commit_id}/pull-requests?", deadline):
            if _is_merge(each, report.commit_id) and isinstance(each.get("id"), int):
                self._comments.tell_rollout(each["id"], report, board, deadline)

    def _listed(self, path: str, deadline: Deadline) -> Iterator[dict[str, Any]]:
        """*path*: with the beginning of a query."""
        what, start = f"the pull requests of {self._repository}", 0
        for _ in range(_MOST_OPEN // _PAGE):
            page = f"{path}&limit={_PAGE}&start={start}"
            content = self._client.call(what, "GET", page, None, deadline).content
            yield from values(content, what)
            start = content.get("nextPageStart")
            if content.get("isLastPage") is not False or not isinstance(start, int):
                return

    def _read(self, each: dict[str, Any]) -> PullRequest | None:
        """None for what has not the shape that Bitbucket describes."""
        try:
            number, source, target = each["id"], each["fromRef"], each["toRef"]
            head, ref, base = source["latestCommit"], source["id"], target["id"]
            is_fork = source["repository"]["id"] != target["repository"]["id"]
        except (KeyError, TypeError):
            return None
        if not (isinstance(number, int) and all(isinstance(one, str) for one in (ref, base)) and is_commit_id(head)):
            return None
        return PullRequest(
            repository=self._name,
            number=number,
            head=head,
            branch=ref.removeprefix(_BRANCHES),
            base_branch=base.removeprefix(_BRANCHES),
            is_fork=is_fork,
        )


def _is_merge(each: dict[str, Any], commit_id: str) -> bool:
    """Whether *commit_id* is what the pull request became; where nothing was made for the merge, its last commit."""
    if each.get("state") != "MERGED":
        return False
    try:
        merge = each["properties"]["mergeCommit"]["id"]
    except (KeyError, TypeError):
        merge = each["fromRef"]["latestCommit"] if isinstance(each.get("fromRef"), dict) else None
    return bool(merge == commit_id)
