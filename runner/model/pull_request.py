"""Pull requests, and what is said of one: what merging it would deploy."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.errors import Mistake
from runner.model.deployment import DeploymentStatus
from runner.model.value import Value

PreviewState: TypeAlias = Literal["Deploys", "Nothing", "Refused"]
"""*Nothing*: no application is concerned. *Refused*: a deployment would be refused, or nothing can be said."""

CHECK = "penstock/plan"  # the name of the check beside a pull request


class PullRequest(Value, frozen=True, kw_only=True):
    """One that is open. *repository*: its name in the runner's configuration. *head*: commit ID, of *branch* where that
    is known.

    *is_fork*: the commit comes from another repository, whose people may push nothing into this one. *fork*: `OWNER/NAME`
    of that one, where it alone has the commit.
    """

    repository: str
    number: int
    head: str
    base_branch: str
    is_fork: bool
    branch: str = ""
    fork: str | None = None


class GroupPreview(Value, frozen=True, kw_only=True):
    """What one deployment group would do. *facts*: what and how, for people. The ends count from the merge."""

    name: str
    rollout: str
    facts: tuple[tuple[str, str], ...] = ()
    earliest_end: dt.timedelta | None = None
    latest_end: dt.timedelta | None = None  # None: nobody can say


class ApplicationPreview(Value, frozen=True, kw_only=True):
    """*refused*: why it could not be deployed; it has no groups then. *difference*: of its rendered manifest, as a
    unified diff; *no_difference*: why there is none.
    """

    application: str
    file: str
    groups: tuple[GroupPreview, ...] = ()
    refused: str = ""
    difference: str = ""
    no_difference: str = ""


class Preview(Value, frozen=True, kw_only=True):
    """What merging *head* into *base*, both commit IDs, would deploy. *text*: one line, at most 140 characters.

    *more*: names of applications that are deployed too, but not shown in full. *gone*: those that have no manifest any
    more. *notes*: what else is to be known. *hindrance*: what the next look may not meet
    any more, though no commit moves; for the log, not for strangers.
    """

    state: PreviewState
    text: str
    head: str
    base: str
    base_branch: str
    applications: tuple[ApplicationPreview, ...] = ()
    more: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    notes: tuple[str, ...] = ()
    hindrance: str = ""


class RolloutRow(Value, frozen=True, kw_only=True):
    """How one deployment of a commit goes. *text*: one line for people."""

    application: str
    group: str
    deployment_id: str
    status: DeploymentStatus
    text: str


class RolloutReport(Value, frozen=True, kw_only=True):
    """How the deployments of one change go. *rows*: in order of creation; *more*: how many there are beside."""

    repository: str
    commit_id: str
    rows: tuple[RolloutRow, ...]
    more: int = 0


class RolloutNews(Value, frozen=True, kw_only=True, tag_field="kind", tag="rollout"):
    """That something of this is new: for the pull request whose merge *commit_id* is."""

    repository: str
    commit_id: str
    change_id: int
