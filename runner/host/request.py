"""What the control side asks of a host: one lifecycle event of one deployment, with everything that it takes.

The AppSpec comes parsed and checked; members that have their default value are left out of the JSON.
"""

from __future__ import annotations

from runner.host.lean.record import Record
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=,@:-")


class FileMapping(Record):
    source: str
    destination: str


class AclEntry(Record):
    default: bool
    kind: str  # user, group, mask or other
    name: str
    perms: str


class Permission(Record):
    object: str
    pattern: str = "**"
    except_: tuple[str, ...] = ()
    types: tuple[str, ...] = ("file", "directory")
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    acls: tuple[AclEntry, ...] | None = None
    context_user: str | None = None
    context_type: str | None = None
    context_range: str | None = None


class Script(Record):
    location: str
    timeout: int = 3600  # seconds
    runas: str | None = None
    sudo: bool = False


class AppSpec(Record):
    files: tuple[FileMapping, ...]
    permissions: tuple[Permission, ...]
    hooks: dict[str, tuple[Script, ...]]
    file_exists_behavior: str | None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> AppSpec:
        return cls(
            files=tuple(FileMapping(**item) for item in value.get("files", ())),
            permissions=tuple(_permission(item) for item in value.get("permissions", ())),
            hooks={
                event: tuple(Script(**item) for item in scripts) for event, scripts in value.get("hooks", {}).items()
            },
            file_exists_behavior=value.get("file_exists_behavior"),
        )


class BundleFile(Record):
    """An archive. *path*: where it is on this machine; "" when it is not, and has to be asked for by content.

    *type*: tar, tgz or zip.
    """

    path: str = ""
    type: str
    sha256: str


class Limits(Record):
    """*term_grace*: seconds between TERM and KILL. *drain_grace*: seconds for output after a script's own exit.

    *max_revisions*, *max_bytes*: how many revisions of a group are kept, and of what size in all; None for any.
    *patience*: seconds without a sign of the control side, while it is needed, until it counts as gone.
    *max_output*: bytes of an event's output that are sent. scripts.log is kept in *log_pieces* files of *log_piece* bytes.
    """

    term_grace: float = 5.0
    drain_grace: float = 2.0
    max_output: int = 16 << 20
    log_piece: int = 64 << 20
    log_pieces: int = 4
    max_revisions: int = 5
    max_bytes: int | None = None
    patience: float = 60.0


class Options(Record):
    """What was opted into. *environment_allow*: globs of this process's own variables that scripts get too."""

    plan_before_removing: bool = False
    keep_inside_bundle: bool = False
    environment_allow: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Options:
        return cls(**dict(value, environment_allow=tuple(value.get("environment_allow", ()))))


class Request(Record):
    """(deployment, event, attempt) is the idempotency key on this host. *offset*: log that the asker already has."""

    deployment: str
    group_id: str
    application: str
    group: str
    event: str
    attempt: int
    folder: str
    appspec: AppSpec
    appspec_json: dict[str, Any]
    appspec_file: str
    bundle: BundleFile
    variables: dict[str, str]
    environment: dict[str, str]
    file_exists_behavior: str
    creator: str
    deployment_type: str
    limits: Limits
    options: Options
    offset: int | None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Request:
        """Raises `Failure` when *value* is not a request that this version understands."""
        try:
            return cls(
                deployment=_name(value["deployment"]),
                group_id=_name(value["group_id"]),
                application=value["application"],
                group=value["group"],
                event=value["event"],
                attempt=int(value["attempt"]),
                folder=value["folder"],
                appspec=AppSpec.from_json(value["appspec"]),
                appspec_json=value["appspec"],
                appspec_file=value.get("appspec_file", "appspec.yml"),
                bundle=BundleFile(**value["bundle"]),
                variables=value.get("variables", {}),
                environment=value.get("environment", {}),
                file_exists_behavior=value.get("file_exists_behavior", "DISALLOW").upper(),
                creator=value.get("creator", "user"),
                deployment_type=value.get("deployment_type", "IN_PLACE"),
                limits=Limits(**value.get("limits", {})),
                options=Options.from_json(value.get("options", {})),
                offset=value.get("offset"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Failure(
                "This host did not understand the request: {}: {}. Do the control side and the host run the same "
                "version?".format(type(error).__name__, error)
            ) from error


def _permission(item: dict[str, Any]) -> Permission:
    item = dict(item, except_=tuple(item.get("except_", ())), types=tuple(item.get("types", ("file", "directory"))))
    if item.get("acls") is not None:
        item["acls"] = tuple(AclEntry(**entry) for entry in item["acls"])
    return Permission(**item)


def _name(text: str) -> str:
    """*text*, when it can be the name of a folder."""
    if not text or not _NAME.issuperset(text) or text in (".", ".."):
        raise ValueError("{!r} cannot be the name of a folder".format(text))
    return text
