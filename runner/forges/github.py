"""Reports to GitHub: the status of a commit, and its Deployments with the group as environment.

Source: GitHub's REST documentation, version 2022-11-28, "Commit statuses", "Deployments", "Deployment statuses".
"""

from typing import Any
from urllib.parse import urlencode

from runner.errors import WorldError
from runner.forges.client import Client
from runner.forges.rest import Deadline
from runner.model.report import Report, ReportState
from runner.model.value import from_json

_STATUS: dict[ReportState, str] = {
    "Running": "pending",
    "Waiting": "pending",
    "Succeeded": "success",
    "Failed": "failure",
    "Stopped": "error",
}
_DEPLOYMENT_STATUS = _STATUS | {"Running": "in_progress"}
_MOST_PAGES = 5  # of a hundred deployments: of one commit to one environment


class GitHubReports:
    """Reports of one *repository*, `OWNER/NAME`. *by_application*: environments are named `application/group`."""

    def __init__(self, client: Client, repository: str, *, by_application: bool = False) -> None:
        self._client, self._repository, self._by_application = client, repository, by_application

    def send(self, report: Report, link: str | None, deadline: Deadline) -> None:
        if report.kind == "status":
            self._report_status(report, link, deadline)
        else:
            self._report_deployment(report, link, deadline)

    def _report_status(self, report: Report, link: str | None, deadline: Deadline) -> None:
        body = {"state": _STATUS[report.state], "context": report.context, "description": report.text}
        path = f"/repos/{self._repository}/statuses/{report.commit_id}"
        what = f"a status of {self._repository}@{report.commit_id[:10]}"
        self._client.call(what, "POST", path, body | _link("target_url", link), deadline)

    def _report_deployment(self, report: Report, link: str | None, deadline: Deadline) -> None:
        number = self._found(report, deadline)
        if number is None:
            number = self._created(report, deadline)
        body = {"state": _DEPLOYMENT_STATUS[report.state], "description": report.text}
        path = f"/repos/{self._repository}/deployments/{number}/statuses"
        self._client.call(self._named(report), "POST", path, body | _link("log_url", link), deadline)

    def _found(self, report: Report, deadline: Deadline) -> int | None:
        """The number of the one that was created before: by us, or by a process that died before it could note that.

        Looked for each time, newest first. What we would note of it ourselves could be lost; what GitHub has is not.
        """
        asked = {"sha": report.commit_id, "environment": self._environment(report), "per_page": 100}
        for page in range(1, _MOST_PAGES + 1):
            path = f"/repos/{self._repository}/deployments?{urlencode({**asked, 'page': page})}"
            there = self._client.call(self._named(report), "GET", path, None, deadline).content
            known = there if isinstance(there, list) else []
            for each in known:
                if _made_for(each) == report.deployment_id:
                    return int(each["id"])
            if len(known) < 100:
                return None
        return None

    def _created(self, report: Report, deadline: Deadline) -> int:
        body = {
            "ref": report.commit_id,
            "task": "deploy",
            "auto_merge": False,
            "required_contexts": [],  # what must be green before a deployment is not for its report to ask
            "environment": self._environment(report),
            "description": f"{report.application} to {report.group} by Penstock",
            "payload": {
                "penstock_deployment": report.deployment_id,
                "application": report.application,
                "group": report.group,
            },
        }
        path = f"/repos/{self._repository}/deployments"
        made = self._client.call(self._named(report), "POST", path, body, deadline).content
        if not isinstance(made, dict) or not isinstance(made.get("id"), int):
            raise WorldError(f"GitHub's answer does not say what number {self._named(report)} has")
        return int(made["id"])

    def _environment(self, report: Report) -> str:
        return f"{report.application}/{report.group}" if self._by_application else report.group

    def _named(self, report: Report) -> str:
        return f"the deployment {report.deployment_id} of {self._repository}@{report.commit_id[:10]}"


def _made_for(deployment: Any) -> str | None:
    payload = deployment.get("payload") if isinstance(deployment, dict) else None
    if isinstance(payload, str):  # as it was given; the API has both forms
        try:
            payload = from_json(payload, dict[str, Any])
        except ValueError:
            return None
    return payload.get("penstock_deployment") if isinstance(payload, dict) else None


def _link(name: str, link: str | None) -> dict[str, str]:
    return {name: link} if link else {}
