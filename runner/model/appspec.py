"""The AppSpec of a server revision, parsed and checked. It travels to the host as JSON, in this very shape.

Source: CodeDeploy user guide, "AppSpec file structure"; reading rules of agent 1.8.
"""

from typing import Literal, TypeAlias

from runner.model.value import Value

FileExistsBehavior: TypeAlias = Literal["DISALLOW", "OVERWRITE", "RETAIN"]


class FileMapping(Value, frozen=True, kw_only=True):
    """Copy *source* (inside the bundle) into the folder *destination*; a directory's contents, a file under its own name."""

    source: str
    destination: str


class AclEntry(Value, frozen=True, kw_only=True):
    """One entry of an access control list, as `setfacl` wants it."""

    default: bool
    kind: Literal["user", "group", "mask", "other"]
    name: str
    perms: str  # of r, w, x and -, or one octal digit


class Permission(Value, frozen=True, kw_only=True):
    """Owner, mode and access lists for what this deployment copied below (or at) *object*."""

    object: str
    pattern: str = "**"
    except_: tuple[str, ...] = ()
    types: tuple[Literal["file", "directory"], ...] = ("file", "directory")
    mode: str | None = None  # octal digits
    owner: str | None = None
    group: str | None = None
    acls: tuple[AclEntry, ...] | None = None
    context_user: str | None = None
    context_type: str | None = None
    context_range: str | None = None


class Script(Value, frozen=True, kw_only=True):
    """One script of a lifecycle event. *timeout* in seconds."""

    location: str
    timeout: int = 3600
    runas: str | None = None
    sudo: bool = False


class AppSpec(Value, frozen=True, kw_only=True):
    """The whole file. *hooks*: lifecycle event name to its scripts, in order."""

    files: tuple[FileMapping, ...] = ()
    permissions: tuple[Permission, ...] = ()
    hooks: dict[str, tuple[Script, ...]] = {}
    file_exists_behavior: FileExistsBehavior | None = None
