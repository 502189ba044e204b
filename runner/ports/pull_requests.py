"""Pull requests: where they are asked for and told of, what was told, and their merge before it happens."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from runner.model.pull_request import Preview, PullRequest
from runner.ports import Repository


class PullRequests(Protocol):
    """A forge. Methods block, ten seconds at most. They raise `WorldError` (`Throttled` where the forge wants a pause)."""

    def open(self, repository: str, told: Collection[str]) -> Sequence[PullRequest]:
        """Those that are open, a hundred at most, the last ones that were touched first.

        *told*: heads that were told of before, as commit IDs: a forge that abbreviates those need not be asked again.
        """
        ...

    def tell(self, pull_request: PullRequest, preview: Preview) -> None:
        """Show *preview* at the pull request. Idempotent: what was shown before, by whatever process, is replaced."""
        ...


class MergeableRepository(Repository, Protocol):
    """A repository that knows what a merge would be."""

    def fetch_from(self, fork: str, commit_id: str) -> None:
        """Like `fetch`, from *fork*, `OWNER/NAME` on the same server, with the same login. Raises `UserError`, too."""
        ...

    def merged(self, base: str, head: str) -> str | None:
        """The ID of a commit, in the mirror alone, with the tree that merging *head* into *base* makes; None: conflicts.

        Author, message and time are those of *head*; asked again, the ID is the same. Both must have been fetched.
        Raises `RevisionDoesNotExist`, `WorldError`.
        """
        ...


class Told(NamedTuple):
    """What a pull request was told last. *head*: commit ID; *base*: branch and commit ID, nothing where another look may
    have better news; *said*: a hash of all else.
    """

    head: str
    base: str
    said: str


class PreviewStore(Protocol):
    """What was told of which pull request. Every method is one transaction."""

    def told(self, repository: str) -> Mapping[int, Told]:
        """By the number of the pull request."""
        ...

    def tell(self, repository: str, number: int, told: Told, now: dt.datetime) -> None: ...

    def failed(self, repository: str, error: str, untold: int, now: dt.datetime) -> None:
        """A look at all of them failed, for people to know. *untold*: how many were to be told, and were not."""
        ...

    def succeeded(self, repository: str) -> None: ...

    def keep(self, repository: str, numbers: Collection[int]) -> None:
        """Forget all but these."""
        ...
