"""Bundles, jobs and commands for tests of what runs on hosts: real archives, made in a moment."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from runner.model.appspec import AppSpec, FileExistsBehavior, FileMapping, Permission, Script
from runner.model.command import Command, Job
from runner.model.revision import Bundle, GitRevision, Revision
from runner.model.target import Host

COMMIT = "5b2f0c41d6a7e8f90123456789abcdef01234567"
EVENTS = (
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
)


def tgz(path: Path, files: Mapping[str, str | bytes], mode: int = 0o644) -> Bundle:
    """A bundle at *path* with *files*: name to content; a name with `.sh` is executable. The AppSpec is added."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in {"appspec.yml": "version: 0.0\nos: linux\n", **files}.items():
            raw = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(raw), 0o755 if name.endswith(".sh") else mode
            tar.addfile(member, io.BytesIO(raw))
    return bundle_of(path, "tgz")


def bundle_of(path: Path, kind: str) -> Bundle:
    content = path.read_bytes()
    return Bundle(path=str(path), bundle_type=kind, sha256=hashlib.sha256(content).hexdigest(), size=len(content))  # type: ignore[arg-type]


def appspec(
    files: Mapping[str, str] | None = None,
    hooks: Mapping[str, list[str | Script]] | None = None,
    permissions: tuple[Permission, ...] = (),
    file_exists_behavior: FileExistsBehavior | None = None,
) -> AppSpec:
    """*files*: source to destination. *hooks*: lifecycle event to locations, or whole scripts."""
    return AppSpec(
        files=tuple(FileMapping(source=source, destination=to) for source, to in (files or {}).items()),
        hooks={
            event: tuple(item if isinstance(item, Script) else Script(location=item) for item in scripts)
            for event, scripts in (hooks or {}).items()
        },
        permissions=permissions,
        file_exists_behavior=file_exists_behavior,
    )


def job(
    bundle: Bundle,
    spec: AppSpec,
    deployment: str = "d-000000001",
    group_id: str = "group-1",
    revision: Revision | None = None,
    file_exists_behavior: FileExistsBehavior = "DISALLOW",
) -> Job:
    return Job(
        deployment_id=deployment,
        application="shop",
        group="production",
        group_id=group_id,
        revision=revision or GitRevision(repository="shop", commit_id=COMMIT),
        bundle=bundle,
        appspec=spec,
        file_exists_behavior=file_exists_behavior,
    )


def commands(job: Job, host: Host, attempt: int = 1, events: tuple[str, ...] = EVENTS) -> list[Command]:
    return [
        Command(job=job, host=host, lifecycle_event=event, attempt=attempt, is_last=event == events[-1])
        for event in events
    ]
