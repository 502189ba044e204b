"""A repository, two hosts and a state folder on this machine, and containers that are given them."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from acceptance_cases import APPSPEC, HOOK, MANIFEST
from container.engine import Podman
from local_git import commit, git, new_repository

USER = 10001
_CONFIG = '[repositories.shop]\nurl = "/srv/shop"\ninterval = "1s"\n' + "".join(
    f'[hosts.{name}]\ntransport = "local"\nfolder = "/hosts/{name}"\ntags = {{stage = "{name.split("-")[0]}"}}\n'
    for name in ("staging-1", "production-1")
)


class Site:
    """The repository belongs to root, as one that is mounted may; the rest to the user of the image."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self.podman, self.repository = podman, folder / "shop"
        self.state, self.hosts, self.config = folder / "state", folder / "hosts", folder / "config"
        self._started: list[str] = []
        new_repository(self.repository)
        (self.repository / "content").mkdir()
        for name, text in {"hook.sh": HOOK, "appspec.yml": APPSPEC, "penstock.yaml": MANIFEST}.items():
            (self.repository / name).write_text(text)
        (self.repository / "hook.sh").chmod(0o755)
        for made in (self.state, self.hosts, self.hosts / "staging-1", self.hosts / "production-1"):
            made.mkdir()
            os.chown(made, USER, USER)
        self.config.mkdir()
        (self.config / "penstock.toml").write_text(_CONFIG)

    def commit(self, message: str = "a change") -> str:
        (self.repository / "content" / "version").write_text(message)
        git(self.repository, "add", "--all")
        return commit(self.repository, message)

    def mounts(self, state: str = "rw") -> list[str]:
        mounted = (
            f"{self.repository}:/srv/shop:ro",
            f"{self.config}:/etc/penstock:ro",
            f"{self.hosts}:/hosts",
            f"{self.state}:/var/lib/penstock:{state}",
        )
        return [f"--volume={each}" for each in mounted]

    def run(self, *command: str, state: str = "rw") -> subprocess.CompletedProcess[str]:
        return self.podman.run(self.mounts(state), *command)

    def start(self, *command: str, name: str = "") -> str:
        hostname = ["--hostname", name] if name else []
        self._started.append(self.podman.start([*self.mounts(), *hostname], *command))
        return self._started[-1]

    def wait(self, container: str) -> int:
        """Until it has ended by itself; its exit status."""
        return int(self.podman("wait", container).stdout)

    def until(self, condition: Callable[[], object], what: str, container: str) -> None:
        for _ in range(600):
            if condition():
                return
            if not self.podman.inspect(container)["State"]["Running"]:
                break
            time.sleep(0.1)
        raise AssertionError(f"{what} did not happen:\n{self.podman.logs(container)}")

    def hold(self) -> None:
        """Scripts on staging-1 begin, and do not end before `release`."""
        (self.hosts / "staging-1/held").touch()

    def release(self) -> None:
        (self.hosts / "staging-1/held").unlink()

    def records(self, host: str) -> list[str]:
        """What has run there, as the host itself has noted: the event, `begins` or `ends`, the commit."""
        file = self.hosts / host / "record"
        return file.read_text().splitlines() if file.exists() else []

    def deployed(self, host: str = "production-1") -> str:
        file = self.hosts / host / "srv/shop/version"
        return file.read_text() if file.exists() else ""

    def remove(self) -> None:
        for container in self._started:
            self.podman("rm", "--force", "--time", "0", container, check=False)
        shutil.rmtree(self.state, ignore_errors=True)
