"""What a forge (GitHub, Bitbucket) is told of a deployment, at the commit that it deploys."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.value import Value

Forge: TypeAlias = Literal["github", "bitbucket", "bitbucket-data-center"]
ReportState: TypeAlias = Literal["Running", "Waiting", "Succeeded", "Failed", "Stopped"]
ReportKind: TypeAlias = Literal["status", "deployment"]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Reporting(Value, frozen=True, kw_only=True):
    """That deployments of a repository are reported, and where. *repository*: its name in the runner's configuration.

    *github*: `owner/name` in lower case, where it has one. *pull_requests*: they are told, too.
    """

    repository: str
    forge: Forge
    github: str | None = None
    pull_requests: bool = False

    @property
    def to(self) -> str:
        """The destination in the outbox."""
        return f"{self.forge}:{self.repository}"


class Report(Value, frozen=True, kw_only=True):
    """One report. *status*: of the commit; *deployment*: an entry among the forge's deployments, with a status of its own.

    *text*: one line for people, at most 140 characters. *created_at*: when the deployment was.
    """

    kind: ReportKind
    repository: str
    commit_id: str
    application: str
    group: str
    deployment_id: str
    state: ReportState
    text: str
    created_at: dt.datetime = EPOCH  # of reports that an older version wrote

    @property
    def number(self) -> int:
        """Of the deployment; a later one of its group has a larger one. Below 2**53, for whoever reads it as a float."""
        return (self.created_at - EPOCH) // dt.timedelta(microseconds=1)

    @property
    def context(self) -> str:
        """Which of a commit's statuses it is: the next report of the same name takes its place."""
        return f"penstock/{self.application}/{self.group}"
