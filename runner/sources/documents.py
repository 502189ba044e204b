"""Single files of revisions: AppSpecs of Lambda and ECS, task definitions. Kept on disk once read, by what they are.

A deployment that is repeated, or rolled back to, needs neither its repository nor its bucket.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from runner.errors import InvalidRevision
from runner.sources.bundles import disk, write_whole

LONGEST = 1024 * 1024  # bytes
_KEPT = 1000  # documents, those used last


class Documents:
    """A folder of files that never change. Safe for several processes: whoever writes, writes the same."""

    def __init__(self, folder: Path, kept: int = _KEPT) -> None:
        self._folder, self._kept = folder, kept

    def get(self, key: str, bring: Callable[[], bytes]) -> bytes:
        """The document *key*, by *bring* when it is not here yet. Raises `InvalidRevision` over 1 MiB, `WorldError`."""
        path = self._folder / hashlib.sha256(key.encode()).hexdigest()
        with disk(self._folder):
            if path.is_file():
                os.utime(path)
                return path.read_bytes()
        found = check_length(bring(), key)
        with disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, found)
            self._prune()
        return found

    def _prune(self) -> None:
        there = list(self._folder.iterdir())
        if len(there) <= self._kept:
            return
        with contextlib.suppress(FileNotFoundError):  # another process tidies up as well
            for path in sorted(there, key=lambda each: each.stat().st_mtime)[: len(there) - self._kept]:
                path.unlink()


def check_length(document: bytes, what: str) -> bytes:
    """Raises `InvalidRevision` when it is longer than anything that people write."""
    if len(document) > LONGEST:
        raise InvalidRevision(f"{what} is {len(document):,} bytes long; at most {LONGEST:,} (1 MiB) are read")
    return document
