"""Which commit of the protected branch the lists of signers are read from.

Never the one that is judged, and not simply the newest: whoever can push there could then allow himself. It begins with
what the branch has when it is first asked. From then on a change of the lists counts once a commit that those before it
allow has made it.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from runner.config import SignaturesConfig
from runner.errors import InvalidRevision, RevisionDoesNotExist, WorldError
from runner.sources.locks import exclusive
from runner.sources.signatures.policy import Policy, SignedRepository, policy_at, revoked_at

_FARTHEST = 10_000  # commits of the branch, back from its head

Allowed = Callable[[str, Policy], bool]
"""Whether a commit is signed as a policy wants it."""


class Trusted:
    """Keeps the commit's ID in *file*, for all processes that share the state folder."""

    def __init__(self, file: Path, config: SignaturesConfig) -> None:
        self._file, self._config = file, config

    def policy(self, repository: SignedRepository, judged: str, allowed: Allowed) -> Policy:
        """The policy that *judged* is to be judged by. Raises `InvalidRevision`, `WorldError`."""
        with exclusive(self._file.with_name("lock")):
            head = self._head(repository)
            start = self._kept(repository) or self._first(repository, head, judged)
            newest = revoked_at(repository, head, self._config)

            def allowed_now(commit_id: str, by: Policy) -> bool:
                return allowed(commit_id, by._replace(revoked_at_head=newest))

            trusted, policy = self._advanced(repository, start, head, judged, allowed_now)
            self._keep(trusted)
            return policy._replace(revoked_at_head=newest)

    def _head(self, repository: SignedRepository) -> str:
        head = repository.heads().get(f"refs/heads/{self._config.branch}")
        if head is None:
            raise InvalidRevision(
                f"signatures are judged by lists on branch {self._config.branch} of {repository.name}, and there is no such "
                "branch; push it, or name another in `branch` of the repository's `signatures`"
            )
        repository.fetch(head)
        return head

    def _first(self, repository: SignedRepository, head: str, judged: str) -> str:
        if head != judged:
            return head
        parents = repository.signed(head).parents
        if not parents:
            raise InvalidRevision(
                f"commit {judged[:10]} of {repository.name} is refused: it cannot bring the lists of signers that it is "
                "judged by. Push another commit on top of it"
            )
        return parents[0]

    def _advanced(
        self, repository: SignedRepository, start: str, head: str, judged: str, allowed: Allowed
    ) -> tuple[str, Policy]:
        """As far as the lists are the same, or were changed by commits that are allowed to."""
        trusted, policy = start, policy_at(repository, start, self._config)
        if not repository.is_ancestor(start, head):
            return trusted, policy  # the branch was rewritten: what it has now is nothing that we know
        for each in reversed(list(_between(repository, start, head))):
            if each == judged:
                continue
            try:
                there = policy_at(repository, each, self._config)
            except InvalidRevision:
                if allowed(each, policy):
                    raise
                continue  # too long, and by somebody whose lists do not count
            if there == policy or allowed(each, policy):
                trusted, policy = each, there
        return trusted, policy

    def _kept(self, repository: SignedRepository) -> str | None:
        try:
            branch, _, kept = self._file.read_text().strip().rpartition(" ")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise WorldError(f"cannot read {self._file}: {error}") from error
        if branch != self._config.branch:
            return None  # the configuration names another one now
        try:
            repository.fetch(kept)
        except RevisionDoesNotExist as error:
            raise InvalidRevision(
                f"branch {branch} of {repository.name} was rewritten, and commit {kept[:10]}, whose lists of signers count, "
                f"is gone. If the lists that the branch has now are right, remove {self._file}"
            ) from error
        return kept

    def _keep(self, trusted: str) -> None:
        fresh = self._file.with_name("trusted.new")
        try:
            with fresh.open("w") as file:
                file.write(f"{self._config.branch} {trusted}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._file)
        except OSError as error:
            raise WorldError(f"cannot write {self._file}: {error.strerror}") from error


def _between(repository: SignedRepository, start: str, head: str) -> Iterator[str]:
    """The branch's own commits after *start*, newest first: first parents, as far as they lead there; else *head* alone."""
    found = list(islice(_line(repository, start, head), _FARTHEST))
    last = repository.signed(found[-1]).parents if found else (start,)
    yield from found if start in last[:1] else [head]


def _line(repository: SignedRepository, start: str, head: str) -> Iterator[str]:
    at = head
    while at != start:
        yield at
        parents = repository.signed(at).parents
        if not parents:
            return
        at = parents[0]
