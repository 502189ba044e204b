"""Who signed a commit, and whether that is allowed: judged by others' tools, by lists on the protected branch."""

from runner.sources.signatures.commit import SignedCommit, parse
from runner.sources.signatures.judge import Signatures
from runner.sources.signatures.policy import SignedRepository

__all__ = ["Signatures", "SignedCommit", "SignedRepository", "parse"]
