"""Whose a state folder is that cannot be written: in containers the commonest trouble."""

import os
from pathlib import Path

_OURS = ("", "penstock.db", "penstock.db-wal", "penstock.db-shm", "driver.lock")


def what_to_do(folder: Path) -> str:
    """About a state folder that cannot be written: whose it is, where that is the reason; else what else may help."""
    for path in (folder / name for name in _OURS):
        try:
            owner = path.stat().st_uid
        except OSError:
            continue
        if owner != os.geteuid() and not os.access(path, os.W_OK):
            what = "it" if path == folder else path.name
            return (
                f"{what} belongs to user {owner}, and this process is user {os.geteuid()}: "
                f"`chown -R {os.geteuid()} {folder}`, or run as its owner"
            )
    return "mount it writable, or name another with --state"
