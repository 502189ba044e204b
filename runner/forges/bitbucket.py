"""Reports to Bitbucket, Cloud and Data Center: the build status of a commit.

A status must link to somewhere. Without a dashboard it is the commit's own page.
Source: Bitbucket Cloud REST API, "Commit statuses"; Bitbucket Data Center, "Updating build status for commits".
"""

import hashlib
from urllib.parse import quote

from runner.forges.client import Client
from runner.forges.rest import Deadline
from runner.model.report import Report, ReportState

LONGEST_KEY = 40  # characters, of Bitbucket Cloud
_DIGEST = 12
_CLOUD: dict[ReportState, str] = {
    "Running": "INPROGRESS",
    "Waiting": "INPROGRESS",
    "Succeeded": "SUCCESSFUL",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
}
_DATA_CENTER = _CLOUD | {"Stopped": "CANCELLED"}


class CloudReports:
    """Reports of one *repository*, `WORKSPACE/NAME`, to Bitbucket Cloud."""

    def __init__(self, client: Client, repository: str, web_url: str = "https://bitbucket.org") -> None:
        self._client, self._repository, self._web = client, quote(repository), web_url

    def send(self, report: Report, link: str | None, deadline: Deadline) -> None:
        commit = f"{self._web}/{self._repository}/commits/{report.commit_id}"
        path = f"/2.0/repositories/{self._repository}/commit/{report.commit_id}/statuses/build"
        what = f"a build status of {self._repository}@{report.commit_id[:10]}"
        self._client.call(what, "POST", path, _body(report, _CLOUD, link or commit), deadline)


class DataCenterReports:
    """Reports of one *repository*, `PROJECT/NAME`, to a Bitbucket Data Center at *web_url*."""

    def __init__(self, client: Client, repository: str, web_url: str) -> None:
        project, _, name = repository.partition("/")
        self._path = f"/projects/{quote(project)}/repos/{quote(name)}/commits/"
        self._client, self._repository, self._web = client, repository, web_url

    def send(self, report: Report, link: str | None, deadline: Deadline) -> None:
        commit = f"{self._web}{self._path}{report.commit_id}"
        path = f"/rest/api/latest{self._path}{report.commit_id}/builds"
        what = f"a build status of {self._repository}@{report.commit_id[:10]}"
        self._client.call(what, "POST", path, _body(report, _DATA_CENTER, link or commit), deadline)


def key(report: Report) -> str:
    """The same for all reports of one application and group, in 40 characters; different for different ones."""
    if len(report.context) <= LONGEST_KEY:
        return report.context
    digest = hashlib.sha256(report.context.encode()).hexdigest()[:_DIGEST]
    return f"{report.context[: LONGEST_KEY - _DIGEST - 1]}-{digest}"


def _body(report: Report, states: dict[ReportState, str], link: str) -> dict[str, str]:
    name = report.context[:255]
    return {"key": key(report), "state": states[report.state], "name": name, "url": link, "description": report.text}
