"""What a check of a host found: what a deployment would do there, and what would fail.

Paths are the host's, and may hold what is not UTF-8 as lone surrogates, as `os.fsdecode` makes them.
"""

from runner.model.value import Value


class Copy(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A file that Install would copy. *source*: inside the bundle. *size* in bytes. *replaces*: something is there."""

    source: str
    destination: str
    size: int
    replaces: bool = False


class ScriptCheck(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A script that would run. *deployment*: whose revision it comes from, None for the new one."""

    event: str
    location: str
    deployment: str | None
    timeout: int  # seconds
    runas: str | None
    sudo: bool
    exists: bool
    executable: bool  # one that is not is made so
    interpreter: str | None  # behind `#!`


class Room(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Bytes on the file system that *path* is on."""

    path: str
    needed: int
    free: int


class Setting(Value, frozen=True, kw_only=True):
    """One thing that `permissions` would set on *file*. *type*: chmod, chown, setfacl or semanage."""

    type: str
    file: str
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    acl: tuple[str, ...] = ()
    context: dict[str, str | None] = {}


class Problem(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Why the lifecycle event *event* would fail."""

    event: str
    message: str


class Explanation(Value, frozen=True, kw_only=True, omit_defaults=False):
    """*removed*: what the previous Install made and this one would remove; *kept*: directories that hold something else.

    *retained*: files that stay because the deployment keeps what exists.
    """

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    retained: tuple[str, ...] = ()
    permissions: tuple[Setting, ...] = ()
    scripts: tuple[ScriptCheck, ...] = ()
    space: tuple[Room, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
