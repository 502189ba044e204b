"""Pull requests on Bitbucket Cloud: which are open, and what merging one would deploy, as a comment and a build status.

The API abbreviates the commits of pull requests. Those of a fork are not in the repository that a pull request is for.
Source: Bitbucket Cloud REST API, "Pullrequests", "Commit statuses"; "Partial responses" of its introduction.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from runner.forges.bitbucket import CLOUD_WEB, check_body, values
from runner.forges.client import Client
from runner.forges.cloud_comments import CloudConversation, is_more
from runner.forges.comments import MOST_PAGES, PAGE, Comments
from runner.forges.markdown import BitbucketMarkup
from runner.forges.rest import Deadline, Refusal
from runner.model.pull_request import Preview, PullRequest, RolloutReport
from runner.model.revision import is_commit_id
from runner.plan.refs import matches

_OF_PULL_REQUESTS, _MOST_OPEN = 50, 100  # the longest page that Bitbucket has of them
_MOST_NEW = 20  # each is a request, and all share the time for one look
_ABBREVIATED = re.compile("[0-9a-f]{7,64}")
_FIELDS = ",".join(
    (
        "next",
        "values.id",
        "values.source.branch.name",
        "values.source.commit.hash",
        "values.source.repository.full_name",
        "values.source.repository.uuid",
        "values.destination.branch.name",
        "values.destination.repository.uuid",
    )
)


class CloudPullRequests:
    """Of *repository*, `WORKSPACE/NAME` as in addresses, which the configuration calls *name*. *branches*: globs of those
    into which pull requests matter.
    """

    def __init__(self, client: Client, name: str, repository: str, branches: Sequence[str]) -> None:
        self._client, self._name, self._repository, self._branches = client, name, repository, branches
        self._place = f"/2.0/repositories/{repository}"
        self._comments = Comments(CloudConversation(client, self._place), BitbucketMarkup(), repository)

    def open(self, told: Collection[str], deadline: Deadline) -> Sequence[PullRequest]:
        """Of the hundred that were touched last; of those with new commits the first twenty, the others the next time."""
        read = map(self._read, self._listed("OPEN", _FIELDS, _MOST_OPEN, deadline))
        found, new = list[PullRequest](), 0
        for each in (one for one in read if one is not None and self._matters(one)):
            head = next((known for known in told if known.startswith(each.head)), None)
            if head is None and (new := new + 1) <= _MOST_NEW:
                head = self._whole(each.number, each.head, deadline)
            if head is not None:
                found.append(replace(each, head=head))
        return found

    def tell(self, wanted: PullRequest, preview: Preview, deadline: Deadline) -> None:
        _, address = self._comments.tell(wanted.number, preview, deadline)
        page = f"{CLOUD_WEB}/{self._repository}/pull-requests/{wanted.number}"
        body = check_body(preview, address or page)
        if wanted.branch and not wanted.is_fork:
            body["refname"] = wanted.branch  # without it the status is the commit's, but not the pull request's
        path = f"{self._place}/commit/{preview.head}/statuses/build"
        try:
            self._client.call(f"the plan of {self._repository}@{preview.head[:10]}", "POST", path, body, deadline)
        except Refusal as error:
            if not (wanted.fork and error.status == 404):
                raise  # a commit that is in a fork alone can have a comment, and maybe no status here

    def tell_rollout(self, report: RolloutReport, board: str | None, deadline: Deadline) -> None:
        """Say at the pull request whose merge it is how the deployments of a commit go; nothing where there is none.

        It is looked for among the fifty that were touched last: asking for those of a commit works only where somebody
        has installed an app for that. *board*: where people look; None: nowhere.
        """
        fields = "next,values.id,values.merge_commit.hash"
        for each in self._listed("MERGED", fields, _OF_PULL_REQUESTS, deadline):
            merge = each.get("merge_commit")
            short = str(merge.get("hash")) if isinstance(merge, dict) else ""
            if _ABBREVIATED.fullmatch(short) and report.commit_id.startswith(short) and isinstance(each.get("id"), int):
                self._comments.tell_rollout(each["id"], report, board, deadline)

    def _listed(self, state: str, fields: str, most: int, deadline: Deadline) -> Iterator[dict[str, Any]]:
        what = f"the pull requests of {self._repository}"
        asked = {"state": state, "sort": "-updated_on", "pagelen": _OF_PULL_REQUESTS, "fields": fields}
        for page in range(1, most // _OF_PULL_REQUESTS + 1):
            path = f"{self._place}/pullrequests?{urlencode({**asked, 'page': page})}"
            content = self._client.call(what, "GET", path, None, deadline).content
            yield from values(content, what)
            if not is_more(content):
                return

    def _matters(self, each: PullRequest) -> bool:
        return any(matches(glob, each.base_branch) for glob in self._branches)

    def _read(self, each: dict[str, Any]) -> PullRequest | None:
        """With an abbreviated head. None for what has not the shape that Bitbucket describes."""
        try:
            number, source, target = each["id"], each["source"], each["destination"]
            short, branch, base = source["commit"]["hash"], source["branch"]["name"], target["branch"]["name"]
            origin = source["repository"]  # null when the fork is gone
            fork = str(origin["full_name"]) if origin["uuid"] != target["repository"]["uuid"] else None
        except (KeyError, TypeError):
            return None
        if not (
            isinstance(number, int)
            and all(isinstance(one, str) for one in (short, branch, base))
            and _ABBREVIATED.fullmatch(short)
        ):
            return None
        return PullRequest(
            repository=self._name,
            number=number,
            head=short,
            branch=branch,
            base_branch=base,
            is_fork=fork is not None,
            fork=fork,
        )

    def _whole(self, number: int, short: str, deadline: Deadline) -> str | None:
        """The commit ID that *short* abbreviates; None where the source is gone."""
        what = f"the commits of {self._repository}#{number}"
        for page in range(1, MOST_PAGES + 1):
            asked = urlencode({"pagelen": PAGE, "page": page, "fields": "next,values.hash"})
            try:
                path = f"{self._place}/pullrequests/{number}/commits?{asked}"
                content = self._client.call(what, "GET", path, None, deadline).content
            except Refusal as error:
                if error.status == 404:  # it was in a fork that is gone
                    return None
                raise
            for commit in (str(each.get("hash")) for each in values(content, what)):
                if commit.startswith(short) and is_commit_id(commit):
                    return commit
            if not is_more(content):
                return None
        return None
