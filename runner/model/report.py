"""What a forge (GitHub, Bitbucket) is told of a deployment, at the commit that it deploys."""

from typing import Literal, TypeAlias

from runner.model.value import Value

Forge: TypeAlias = Literal["github", "bitbucket", "bitbucket-data-center"]
ReportState: TypeAlias = Literal["Running", "Waiting", "Succeeded", "Failed", "Stopped"]
ReportKind: TypeAlias = Literal["status", "deployment"]


class Reporting(Value, frozen=True, kw_only=True):
    """That deployments of a repository are reported, and where. *repository*: its name in the runner's configuration.

    *github*: `owner/name` in lower case, where it has one.
    """

    repository: str
    forge: Forge
    github: str | None = None

    @property
    def to(self) -> str:
        """The destination in the outbox."""
        return f"{self.forge}:{self.repository}"


class Report(Value, frozen=True, kw_only=True):
    """One report. *status*: of the commit; *deployment*: an entry among the forge's deployments, with a status of its own.

    *text*: one line for people, at most 140 characters.
    """

    kind: ReportKind
    repository: str
    commit_id: str
    application: str
    group: str
    deployment_id: str
    state: ReportState
    text: str

    @property
    def context(self) -> str:
        """Which of a commit's statuses it is: the next report of the same name takes its place."""
        return f"penstock/{self.application}/{self.group}"
