"""Single files of revisions: AppSpecs of Lambda and ECS, task definitions. Kept on disk once read, by what they are.

A deployment that is repeated, or rolled back to, needs neither its repository nor its bucket.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from runner.errors import InvalidRevision
from runner.sources.bundles import disk, write_whole

LONGEST = 1024 * 1024  # bytes


class Documents:
    """A folder of files that never change. Safe for several processes: whoever writes, writes the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str, bring: Callable[[], bytes]) -> bytes:
        """The document *key*, by *bring* when it is not here yet. Raises `InvalidRevision` over 1 MiB, `WorldError`."""
        path = self._folder / hashlib.sha256(key.encode()).hexdigest()
        with disk(self._folder):
            if path.is_file():
                return path.read_bytes()
        found = check_length(bring(), key)
        with disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, found)
        return found


def check_length(document: bytes, what: str) -> bytes:
    """Raises `InvalidRevision` when it is longer than anything that people write."""
    if len(document) > LONGEST:
        raise InvalidRevision(f"{what} is {len(document):,} bytes long; at most {LONGEST:,} (1 MiB) are read")
    return document
