"""What wakes the runner: a ref of a repository points at a commit that it did not point at before."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.value import Value

SeenBy: TypeAlias = Literal["poll", "files", "webhook", "user"]


class Change(Value, frozen=True, kw_only=True):
    """One ref that moved. *before*: where it was seen last; None when it is new to us."""

    id: int
    repository: str
    ref: str  # full name: refs/heads/main, refs/tags/v1.2
    commit_id: str
    before: str | None
    seen_by: SeenBy
    seen_at: dt.datetime

    @property
    def branch(self) -> str | None:
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else None

    @property
    def tag(self) -> str | None:
        return self.ref.removeprefix("refs/tags/") if self.ref.startswith("refs/tags/") else None
