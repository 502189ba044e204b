"""Where things are on a host: the state folder, laid out as the official agent's, and the folder that stands for `/`."""

from __future__ import annotations

import os

STATE = "var/lib/penstock"


class Layout:
    """The paths of one deployment of one deployment group below *folder*. Makes nothing until `make` is called."""

    def __init__(self, folder: str, group_id: str, deployment: str) -> None:
        self.folder = os.path.abspath(folder)
        self.state = os.path.join(self.folder, STATE)
        self.group = os.path.join(self.state, group_id)
        self.deployment = os.path.join(self.group, deployment)
        self.bundle = os.path.join(self.deployment, "bundle.tar")  # this name whatever its type
        self.incoming = os.path.join(self.deployment, "incoming")  # of a bundle that is on its way
        self.archive = archive_of(self.deployment)
        self.appspec = appspec_of(self.deployment)
        self.journal = os.path.join(self.deployment, "journal")
        self.scripts_log = os.path.join(self.deployment, "logs", "scripts.log")
        self.deployments_log = os.path.join(self.state, "deployment-logs", "penstock-deployments.log")
        instructions = os.path.join(self.state, "deployment-instructions", group_id)
        self.instructions = instructions + "-install.json"
        self.cleanup = instructions + "-cleanup"
        self.lock = instructions + "-lock"
        self.last_successful = instructions + "_last_successful_install"
        self.most_recent = instructions + "_most_recent_install"

    def with_archive(self, archive: str) -> Layout:
        """This layout, as if the unpacked bundle of the deployment were at *archive*."""
        other = Layout(self.folder, os.path.basename(self.group), os.path.basename(self.deployment))
        other.archive = archive
        return other

    def make(self) -> None:
        """Make the folders of the state; any that are there already are left alone."""
        for path in (self.scripts_log, self.deployments_log, self.instructions):
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def on_host(self, path: str) -> str:
        """The real path of what the AppSpec calls *path*. `..` cannot climb out of the folder; symbolic links can."""
        inside = os.path.normpath("/" + path).lstrip("/")
        return os.path.join(self.folder, inside) if inside else self.folder


def archive_of(deployment: str) -> str:
    """The unpacked bundle of the deployment in the folder *deployment*."""
    return os.path.join(deployment, "deployment-archive")


def appspec_of(deployment: str) -> str:
    """The AppSpec that the deployment in the folder *deployment* was installed by, as JSON."""
    return os.path.join(deployment, "appspec.json")


def read_pointer(path: str) -> str | None:
    """The deployment folder that the file *path* names, None when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except FileNotFoundError:
        return None


def write_whole(path: str, text: str) -> None:
    """Put *text* into *path*, durably, so that a crash leaves either the old content or the new."""
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(path + ".new", path)
