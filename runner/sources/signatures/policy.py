"""What one commit of the protected branch says about signers."""

from typing import NamedTuple, Protocol

from runner import yaml
from runner.config import SignaturesConfig
from runner.errors import InvalidFiles, InvalidRevision
from runner.sources.signatures.commit import SignedCommit

LONGEST_LIST = 4 * 1024 * 1024  # bytes: some 40,000 signers


class SignedRepository(Protocol):
    """What is asked of a repository here; `runner.ports.Repository` says what its methods promise."""

    @property
    def name(self) -> str: ...

    def heads(self) -> dict[str, str]: ...

    def fetch(self, commit_id: str) -> None: ...

    def manifests(self, commit_id: str) -> dict[str, str]: ...

    def read(self, commit_id: str, path: str) -> bytes | None: ...

    def is_ancestor(self, before: str, after: str) -> bool: ...

    def signed(self, commit_id: str) -> SignedCommit:
        """The commit taken apart. Needs no network."""
        ...


class Policy(NamedTuple):
    """The lists as they are in a commit, None where there is none. *demanded*: a signature is needed at all.

    *revoked_at_head*: the revoked certificates as the protected branch has them now, for the revocation lists in them.
    """

    signers: bytes | None
    keys: bytes | None
    revoked: bytes | None
    demanded: bool
    certificates: bytes | None = None
    revoked_certificates: bytes | None = None
    revoked_at_head: bytes | None = None

    @property
    def is_empty(self) -> bool:
        return self.signers is None and self.keys is None and self.certificates is None


def policy_at(repository: SignedRepository, commit_id: str, config: SignaturesConfig) -> Policy:
    """Raises `InvalidRevision` when a list is too long."""

    def of(path: str) -> bytes | None:
        found = repository.read(commit_id, path)
        if found is not None and len(found) > LONGEST_LIST:
            raise InvalidRevision(
                f"{path} in commit {commit_id[:10]} of {repository.name} has {len(found)} bytes; a list of signers may "
                f"have {LONGEST_LIST} (4 MiB)"
            )
        return found

    return Policy(
        signers=of(config.allowed_signers),
        keys=of(config.allowed_keys),
        revoked=of(config.revoked_keys),
        certificates=of(config.allowed_certificates),
        revoked_certificates=of(config.revoked_certificates),
        demanded=config.required or any(map(_demands, repository.manifests(commit_id).values())),
    )


def revoked_at(repository: SignedRepository, commit_id: str, config: SignaturesConfig) -> bytes | None:
    """The file of revoked certificates; None also where it is too long."""
    found = repository.read(commit_id, config.revoked_certificates)
    return found if found is not None and len(found) <= LONGEST_LIST else None


def _demands(manifest: str) -> bool:
    """Whether a manifest has `signed`. One that cannot be read demands nothing; it deploys nothing, either."""
    if "signed" not in manifest:
        return False
    try:
        data = yaml.read(manifest, "").data
    except InvalidFiles:
        return False
    return isinstance(data, dict) and "signed" in data
