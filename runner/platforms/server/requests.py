"""A command as the request that a host understands. See `runner.host.request`, its other end."""

from pathlib import Path
from typing import Any

import msgspec

from runner.model.command import Command
from runner.model.executor import ExecutorSettings
from runner.model.revision import GitHubRevision, GitRevision, Revision, S3Revision


def limits_of(settings: ExecutorSettings) -> dict[str, float]:
    """How long the host waits, in seconds, and how much it keeps, in revisions and bytes."""
    limits: dict[str, float] = {
        "term_grace": settings.term_grace.total_seconds(),
        "drain_grace": settings.drain_grace.total_seconds(),
        "max_revisions": settings.max_revisions,
    }
    return limits if settings.max_size is None else limits | {"max_bytes": settings.max_size}


def options_of(settings: ExecutorSettings) -> dict[str, Any]:
    """What was opted into; nothing by default."""
    options = {
        "plan_before_removing": settings.plan_before_removing,
        "keep_inside_bundle": settings.keep_inside_bundle,
        "environment_allow": list(settings.environment_allow),
    }
    return {name: value for name, value in options.items() if value}


def request_for(
    command: Command, limits: dict[str, float], options: dict[str, Any] | None = None, *, by_content: bool = False
) -> dict[str, Any]:
    """Everything that the host needs for *command*, as plain JSON values; the offset of the log is left to the asker.

    A host of this machine gets the path of the bundle, any other (and all when *by_content*) asks for its contents.
    """
    job = command.job
    back = {"creator": job.creator, "deployment_type": job.deployment_type}
    return {
        "deployment": job.deployment_id,
        "group_id": job.group_id,
        "application": job.application,
        "group": job.group,
        "event": command.lifecycle_event,
        "attempt": command.attempt,
        "folder": str(Path(command.host.folder).absolute()),
        "appspec": msgspec.to_builtins(job.appspec),
        "appspec_file": job.appspec_file,
        "bundle": {
            "path": "" if by_content or command.host.transport != "local" else str(Path(job.bundle.path).absolute()),
            "type": job.bundle.bundle_type,
            "sha256": job.bundle.sha256,
        },
        "variables": revision_variables(job.revision),
        "environment": command.host.environment,
        "file_exists_behavior": job.file_exists_behavior,
        "limits": limits,
        "options": options or {},
        **(back if job.deployment_type == "BLUE_GREEN" else {}),  # only there does a host ask for them
    }


def revision_variables(revision: Revision) -> dict[str, str]:
    """The variables that tell a hook which revision it belongs to. Source: user guide, "Environment variables"."""
    if isinstance(revision, GitRevision | GitHubRevision):
        return {"BUNDLE_COMMIT": revision.commit_id}
    if not isinstance(revision, S3Revision):
        return {}  # for platforms without hosts
    found = {
        "BUNDLE_BUCKET": revision.bucket,
        "BUNDLE_KEY": revision.key,
        "BUNDLE_VERSION": revision.version,
        "BUNDLE_ETAG": revision.etag,
    }
    return {name: value for name, value in found.items() if value is not None}
