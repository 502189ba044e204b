"""What every contender does to every host: ten files of 20 KB arrive and go where they belong, five scripts run in order.

Each script sleeps for 10 ms, then notes in the host's root that it ran.
"""

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet_hosts import SshHost

HOOKED = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
HOOK = """#!/bin/sh
sleep 0.01
echo "${0##*/}" >> "$PENSTOCK_ROOT/record"
"""
FILES, SIZE = 10, 20_000
DESTINATION = "srv/shop"  # below a host's root


class Work:
    """*source*: `content/` with the files and `hooks/` with the scripts. *bundle*: both as one tar file."""

    def __init__(self, place: Path) -> None:
        self.source, self.bundle = place / "source", place / "bundle.tar"
        self.content, self.hooks = self.source / "content", self.source / "hooks"
        self.content.mkdir(parents=True)
        self.hooks.mkdir()
        for number in range(FILES):
            (self.content / f"file-{number}").write_bytes(os.urandom(SIZE))
        for event in HOOKED:
            (self.hooks / event).write_text(HOOK)
            (self.hooks / event).chmod(0o755)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self.source, ".")
        self.bundle.write_bytes(packed.getvalue())

    def check(self, hosts: Sequence[SshHost], scripts: Sequence[str] = HOOKED) -> None:
        """Raises `AssertionError` unless the files are where they belong and exactly *scripts* have run, in order."""
        wanted = {file.name: file.read_bytes() for file in self.content.iterdir()}
        for host in hosts:
            found = {file.name: file.read_bytes() for file in (host.root / DESTINATION).iterdir()}
            assert found == wanted, f"{host.name} has other files than were deployed"
            ran = (host.root / "record").read_text().split()
            assert ran == list(scripts), f"{host.name} ran {ran}"


def shell_command(root: Path) -> str:
    """All of it on one host, as one command of the shell that reads the bundle from standard input."""
    scripts = [f"revision/hooks/{event}" for event in HOOKED]
    steps = [
        f"cd {root}",
        "mkdir -p revision srv",
        "tar -x -f - -C revision",
        *scripts[:2],
        f"cp -R revision/content {DESTINATION}",
        *scripts[2:],
    ]
    return f"export PENSTOCK_ROOT={root}; " + " && ".join(steps)


def batches(hosts: Sequence[SshHost], *, half: bool) -> list[Sequence[SshHost]]:
    """All of them, or the first half, rounded up, and then the rest."""
    middle = (len(hosts) + 1) // 2
    return [hosts[:middle], hosts[middle:]] if half else [hosts]
