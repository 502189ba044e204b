"""Judges whether a commit is signed by somebody who may; see docs/signed-commits.md for the rules."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from runner.config import SignaturesConfig
from runner.errors import InvalidRevision, WorldError
from runner.log import get_logger
from runner.sources.signatures import openpgp, openssh, x509
from runner.sources.signatures.commit import SignedCommit
from runner.sources.signatures.policy import Policy, SignedRepository
from runner.sources.signatures.trusted import Trusted
from runner.sources.signatures.verdict import Bad, Good

LONGEST_SIGNATURE = 64 * 1024  # bytes; one has a few hundred, an X.509 one a few thousand
LONGEST_COMMIT = 4 * 1024 * 1024  # bytes, without it


class Signatures:
    """Judges the commits of one repository. *folder*: what it keeps, of this repository alone."""

    def __init__(self, config: SignaturesConfig, folder: Path) -> None:
        self._config = config
        self._trusted = Trusted(folder / "trusted", config)
        self._accepted = folder / "accepted"

    def judge(self, repository: SignedRepository, commit_id: str, *, demanded: bool = False) -> bool:
        """Whether the commit, which *repository* has fetched, had to be signed; then somebody has, who may.

        *demanded*: also where the configuration leaves it to manifests. Raises `InvalidRevision`, which says what is wrong
        and what to do, and `WorldError` (to be retried): the remote or a tool does not answer.
        """
        policy = self._trusted.policy(repository, commit_id, lambda each, by: _is_good(repository, each, by))
        if not (policy.demanded or demanded):
            return False
        if policy.is_empty:
            raise InvalidRevision(
                f"commit {commit_id[:10]} of {repository.name} is refused: it must be signed, and branch "
                f"{self._config.branch} has no list of signers that counts. Push {self._config.allowed_signers}, "
                f"{self._config.allowed_keys} or {self._config.allowed_certificates} there"
            )
        verdict = verify(repository.signed(commit_id), policy)
        if isinstance(verdict, Bad):
            key = f" (key {verdict.key})" if verdict.key else ""
            raise InvalidRevision(
                f"commit {commit_id[:10]} of {repository.name} is refused: {verdict.why}{key}. {verdict.remedy}"
            )
        get_logger().info(
            "signature accepted", repository=repository.name, commit=commit_id[:10], signer=verdict.who, key=verdict.key
        )
        self._accept(commit_id)
        return True

    def judge_once(self, repository: SignedRepository, commit_id: str) -> None:
        """As `judge`, but what was accepted before stays so: a rollback goes back to what was right in its time."""
        if self._config.required and not (self._accepted / commit_id).exists():
            self.judge(repository, commit_id)

    def _accept(self, commit_id: str) -> None:
        try:
            self._accepted.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self._accepted / commit_id, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise WorldError(f"cannot write below {self._accepted}: {error.strerror}") from error


def verify(commit: SignedCommit, policy: Policy) -> Good | Bad:
    """Whose signature it is, by the tool for its kind. Raises `WorldError` when that cannot be said now."""
    if not commit.signatures:
        return Bad(
            "it is not signed", "Sign it (`git commit --amend -S`) and push it again; a signed tag is not enough."
        )
    if len(commit.signatures) > 1:
        return Bad("it has more than one signature", "Sign it anew (`git commit --amend -S`).")
    signature = commit.signatures[0]
    if len(signature) > LONGEST_SIGNATURE or len(commit.payload) > LONGEST_COMMIT:
        return Bad("its signature or its message is far too long", "Sign it anew, with a shorter message.")
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-signature-") as private:  # mode 0700
            return _verify(commit, signature, policy, Path(private))
    except OSError as error:
        raise WorldError(f"signatures cannot be verified: no temporary files ({error.strerror})") from error


def _verify(commit: SignedCommit, signature: bytes, policy: Policy, folder: Path) -> Good | Bad:
    if signature.startswith(openssh.BEGIN):
        return openssh.verify(commit, signature, policy.signers, policy.revoked, folder)
    if signature.startswith(openpgp.BEGIN):
        return openpgp.verify(commit, signature, policy.keys, folder)
    if signature.startswith(x509.BEGIN):
        return x509.verify(commit, signature, policy, folder)
    return Bad("it has a signature of an unknown kind", "Sign it with an SSH or OpenPGP key, or a certificate.")


def _is_good(repository: SignedRepository, commit_id: str, policy: Policy) -> bool:
    return not policy.is_empty and isinstance(verify(repository.signed(commit_id), policy), Good)
