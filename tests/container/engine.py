"""podman with a storage of its own, away from this machine's images and networks."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LIMITS = ("--ulimit", "nofile=1024:20000", "--ulimit", "nproc=4096:4096")  # a machine may not raise its own
IMAGE, BASE = "localhost/penstock:test", "localhost/penstock-test-base:latest"
_PATIENCE = 300  # seconds


class Podman:
    """*storage*: a folder on a disk. Nothing in its containers reaches a network."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        storage.mkdir(parents=True, exist_ok=True)
        runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "runc"
        places = ("--root", str(storage / "root"), "--runroot", str(storage / "run"))
        # cgroupfs: there may be no systemd. runc: crun refuses the mixed cgroups that some machines still have.
        self._podman = ("podman", *places, "--cgroup-manager", "cgroupfs", "--runtime", runc)

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self._podman, *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        if check and done.returncode:
            raise AssertionError(
                f"podman {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def run(self, options: Sequence[str], *command: str, image: str = IMAGE) -> subprocess.CompletedProcess[str]:
        """Run a container to its end, and remove it."""
        return self("run", "--rm", "--no-healthcheck", *self._container(), *options, image, *command, check=False)

    def start(self, options: Sequence[str], *command: str) -> str:
        """Start a container; returns its ID. Whoever starts it removes it."""
        return self("run", "--detach", *self._container(), *options, IMAGE, *command).stdout.strip()

    def _container(self) -> tuple[str, ...]:
        return ("--network", "none", "--pull", "never", "--read-only", "--cap-drop", "all", *_LIMITS)

    def inspect(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(self("inspect", container).stdout)
        assert isinstance(found, dict)
        return found

    def logs(self, container: str) -> str:
        done = self("logs", container)
        return done.stdout + done.stderr

    def import_base(self, archive: Path) -> None:
        path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self("import", "--quiet", "--change", path, "--change", "ENV LANG=C.UTF-8", str(archive), BASE)

    def build(self, context: Path, wheels: Path, image: str = IMAGE) -> None:
        """Build the Dockerfile in *context*, with pip finding everything in *wheels* and nothing else."""
        pip_conf = self.storage / "pip.conf"
        pip_conf.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        self(
            *("build", "--isolation", "chroot", "--network", "host", "--pull=never", "--no-cache", "--layers=false"),
            *("--format", "docker", "--timestamp", "0", "--volume", f"{wheels}:/wheels:ro", *_LIMITS),
            *("--secret", f"id=pip.conf,src={pip_conf}", "--build-arg", f"PYTHON_IMAGE={BASE}", "--tag", image),
            str(context),
        )

    def remove_everything(self) -> None:
        self("rm", "--all", "--force", "--time", "0", check=False)
        self("rmi", "--all", "--force", check=False)
        subprocess.run(["umount", "--lazy", self.storage / "root" / "overlay"], capture_output=True, check=False)
        shutil.rmtree(self.storage, ignore_errors=True)
