"""Reports to Bitbucket, Cloud and Data Center: the build status of a commit, and on Data Center its deployments.

A report must link to somewhere. Without a dashboard it is the commit's own page.
Source: Bitbucket Cloud REST API, "Commit statuses"; Bitbucket Data Center REST API, "Builds and Deployments".
"""

import hashlib
from typing import Any
from urllib.parse import quote

from runner.errors import WorldError
from runner.forges.client import Client
from runner.forges.comments import listed
from runner.forges.rest import Deadline, Refusal
from runner.forges.tiers import tier
from runner.model.pull_request import CHECK, Preview
from runner.model.report import Report, ReportState

CLOUD_WEB = "https://bitbucket.org"
LONGEST_KEY = 40  # characters, of Bitbucket Cloud
LONGEST_NAME = 255  # characters, of keys and names of deployments too
_DIGEST = 12
_CLOUD: dict[ReportState, str] = {
    "Running": "INPROGRESS",
    "Waiting": "INPROGRESS",
    "Succeeded": "SUCCESSFUL",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
}
_DATA_CENTER = _CLOUD | {"Stopped": "CANCELLED"}
_DEPLOYMENT = _DATA_CENTER | {"Running": "IN_PROGRESS", "Waiting": "PENDING"}


class CloudReports:
    """Reports of one *repository*, `WORKSPACE/NAME`, to Bitbucket Cloud."""

    def __init__(self, client: Client, repository: str, web_url: str = CLOUD_WEB) -> None:
        self._client, self._repository, self._web = client, quote(repository), web_url

    def send(self, report: Report, link: str | None, deadline: Deadline) -> None:
        commit = f"{self._web}/{self._repository}/commits/{report.commit_id}"
        path = f"/2.0/repositories/{self._repository}/commit/{report.commit_id}/statuses/build"
        what = f"a build status of {self._repository}@{report.commit_id[:10]}"
        self._client.call(what, "POST", path, _body(report, _CLOUD, link or commit), deadline)


class DataCenterReports:
    """Reports of one *repository*, `PROJECT/NAME`, to a Bitbucket Data Center at *web_url*.

    *by_application*: environments are named `application/group`.
    """

    def __init__(self, client: Client, repository: str, web_url: str, *, by_application: bool = False) -> None:
        project, _, name = repository.partition("/")
        self._path = f"/projects/{quote(project)}/repos/{quote(name)}/commits/"
        self._client, self._repository, self._web = client, repository, web_url
        self._by_application = by_application

    def send(self, report: Report, link: str | None, deadline: Deadline) -> None:
        shown = link or f"{self._web}{self._path}{report.commit_id}"
        path = f"/rest/api/latest{self._path}{report.commit_id}"
        if report.kind == "status":
            what = f"a build status of {self._repository}@{report.commit_id[:10]}"
            self._client.call(what, "POST", f"{path}/builds", _body(report, _DATA_CENTER, shown), deadline)
        else:
            self._report_deployment(report, f"{path}/deployments", shown, deadline)

    def _report_deployment(self, report: Report, path: str, link: str, deadline: Deadline) -> None:
        """One with the same key, environment and number takes the place of the one before: nothing need be looked for."""
        what = f"the deployment {report.deployment_id} of {self._repository}@{report.commit_id[:10]}"
        body = {
            "deploymentSequenceNumber": report.number,
            "description": report.text,
            "displayName": _display_name(report),
            "environment": self._environment(report),
            "key": shortened(report.context, LONGEST_NAME),
            "state": _DEPLOYMENT[report.state],
            "url": link,
        }
        try:
            self._client.call(what, "POST", path, body, deadline)
        except Refusal as error:
            if error.status != 404 or (isinstance(error.content, dict) and "errors" in error.content):
                raise  # a 404 of a repository or a commit has Bitbucket's own words
            # There is no such endpoint. Waiting does not mend that, and build statuses must not wait behind it.
            said = f"{error.message}; Bitbucket Data Center has deployments since 7.16, and this one seems to be older"
            raise WorldError(said, retryable=False) from error

    def _environment(self, report: Report) -> dict[str, str]:
        name = f"{report.application}/{report.group}" if self._by_application else report.group
        told = {"key": shortened(name, LONGEST_NAME), "displayName": name[:LONGEST_NAME]}
        kind = tier(report.group)
        return told | {"type": kind} if kind else told


def values(content: Any, what: str) -> list[dict[str, Any]]:
    """The objects on a page, of Cloud or Data Center. Raises `WorldError` where it is none."""
    return listed(content.get("values") if isinstance(content, dict) else None, what)


def check_body(preview: Preview, link: str) -> dict[str, str]:
    """The build status that says what merging a commit would deploy: one for each, the last one counts."""
    state = "FAILED" if preview.state == "Refused" else "SUCCESSFUL"
    return {"key": CHECK, "state": state, "name": CHECK, "url": link, "description": preview.text}


def key(report: Report) -> str:
    """The same for all reports of one application and group, in 40 characters; different for different ones."""
    return shortened(report.context, LONGEST_KEY)


def shortened(name: str, longest: int) -> str:
    """In at most *longest* characters; different for different names."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1]}-{digest}"


def _display_name(report: Report) -> str:
    return f"{report.application} to {report.group}"[:LONGEST_NAME]


def _body(report: Report, states: dict[ReportState, str], link: str) -> dict[str, str]:
    name = report.context[:LONGEST_NAME]
    return {"key": key(report), "state": states[report.state], "name": name, "url": link, "description": report.text}
