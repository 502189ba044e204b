"""Bundles, jobs and commands for tests of what runs on hosts: real archives, made in a moment."""

import datetime as dt
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.model.appspec import AppSpec, FileExistsBehavior, FileMapping, Permission, Script
from runner.model.command import Command, Job, Outcome
from runner.model.executor import ExecutorSettings
from runner.model.revision import Bundle, GitRevision, Revision
from runner.model.target import Host
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.transport import LocalTransport

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


class Machine:
    """One local host below *folder*, a platform that reaches it, and bundles made as they are asked for.

    *folder*/host stands for the machine's `/`. `run` and `deploy` run events and keep what was printed in *printed*.
    """

    def __init__(self, folder: Path, name: str = "web-1") -> None:
        self.folder = folder
        self.root = folder / "host"
        self.state = self.root / "var/lib/penstock"
        self.host = Host(name=name, folder=str(self.root), environment={"COLOUR": "blue"})
        self.platforms: list[ServerPlatform] = []
        self.platform = self.another_platform()
        self.printed = ""
        self._bundles: dict[str, Bundle] = {}

    def another_platform(self, transport: LocalTransport | None = None, **settings: Any) -> ServerPlatform:
        """A platform of a second runner, as it were, with impatient limits."""
        quick = dt.timedelta(seconds=0.3)
        executor = ExecutorSettings(term_grace=quick, drain_grace=quick, **settings)
        self.platforms.append(ServerPlatform(transport=transport, settings=executor))
        return self.platforms[-1]

    def bundle(self, files: Mapping[str, str | bytes]) -> Bundle:
        """A bundle with *files*; a script may leave out its first line."""
        whole = {
            name: f"#!/bin/sh\n{content}\n" if name.endswith(".sh") and isinstance(content, str) else content
            for name, content in files.items()
        }
        key = repr(sorted(whole.items()))
        if key not in self._bundles:
            self._bundles[key] = tgz(self.folder / f"bundle{len(self._bundles)}.tgz", whole)
        return self._bundles[key]

    def command(
        self,
        event: str,
        files: Mapping[str, str | bytes],
        hooks: Mapping[str, list[str | Script]] | None = None,
        deployment: str = "d-1",
        attempt: int = 1,
        copies: Mapping[str, str] | None = None,
        spec: AppSpec | None = None,
        **of_job: Any,
    ) -> Command:
        made = job(self.bundle(files), spec or appspec(copies, hooks), deployment, **of_job)
        return next(c for c in commands(made, self.host, attempt) if c.lifecycle_event == event)

    async def run(self, command: Command) -> Outcome:
        pieces: list[str] = []
        outcome = await self.platform.run(command, pieces.append)
        self.printed += "".join(pieces)
        return outcome

    async def deploy(
        self, job: Job, attempt: int = 1, events: tuple[str, ...] = EVENTS, stop_on_failure: bool = True
    ) -> dict[str, Outcome]:
        """Run *events* up to the first that fails. Returns the outcomes of those that ran."""
        outcomes: dict[str, Outcome] = {}
        for command in commands(job, self.host, attempt, events):
            outcomes[command.lifecycle_event] = await self.run(command)
            if stop_on_failure and not outcomes[command.lifecycle_event].succeeded:
                break
        return outcomes

    async def close(self) -> None:
        for platform in self.platforms:
            await platform.close()
