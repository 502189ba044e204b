"""Runs `ssh-keygen`, `gpg` and `openssl`: bounded in time, with nothing of this process's environment but where they are."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runner.errors import WorldError

LONGEST = 20.0  # seconds; a verification takes hundredths of one

_PACKAGES = {"ssh-keygen": "openssh-client"}  # others are named as their package


class Said(NamedTuple):
    """How a tool ended, and what it wrote. Bytes that are no UTF-8 are replaced."""

    code: int
    out: str
    err: str


def run(command: Sequence[str], folder: Path, given: bytes = b"") -> Said:
    """Run *command* in the private *folder*, which is its home, too. UTC, and messages in English.

    Raises `WorldError`, to be retried: the tool is missing, or did not end in time.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GNUPGHOME": str(folder),
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, input=given, capture_output=True, timeout=LONGEST, check=False
        )
    except FileNotFoundError as error:
        name = command[0]
        raise WorldError(
            f"signatures cannot be verified: {name} is missing on this machine; install it (Debian and Ubuntu: "
            f"apt-get install {_PACKAGES.get(name, name)})"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise WorldError(f"signatures cannot be verified: {command[0]} did not end within {LONGEST:.0f} s") from error
    except OSError as error:
        raise WorldError(f"signatures cannot be verified: {command[0]} cannot be started: {error.strerror}") from error
    return Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
