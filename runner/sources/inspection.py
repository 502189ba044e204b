"""Is a bundle sound and harmless? Asked once, before it is accepted into the cache; nothing is unpacked.

What passes can be unpacked into an empty folder, in its own order and with its links, without touching anything outside.
"""

import posixpath
from dataclasses import dataclass
from pathlib import Path

from runner.errors import InvalidRevision
from runner.model.revision import BundleType
from runner.sources.archive import Kind, Limits, Member, members, sound

_CHUNK = 1024 * 1024
_LONGEST_NAME = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What inspection found. *top*: the single top folder that holds the AppSpec, which the agent strips; "" if none."""

    entries: int
    size: int  # bytes, unpacked
    top: str


def inspect(path: Path, bundle_type: BundleType, limits: Limits) -> Contents:
    """Read the whole archive. Raises `InvalidRevision` naming the member that is hostile, or saying what is damaged."""
    inspector = _Inspector(limits)
    with sound(bundle_type):
        for member in members(path, bundle_type, limits):
            inspector.accept(member)
            if bundle_type == "zip" and member.kind == "file":
                _read_through(member)
    if not inspector.entries:
        raise InvalidRevision("the bundle is an empty archive")
    return Contents(entries=inspector.entries, size=inspector.size, top=inspector.top())


def normal_name(name: str) -> str:
    """The member's path inside the bundle, "" for the bundle itself. Raises `InvalidRevision` for one that leaves it."""
    if name.startswith("/"):
        raise InvalidRevision(f"{name!r} in the bundle has an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidRevision(f"{name!r} in the bundle leaves it by `..`")
    if "\0" in name or len(name) > _LONGEST_NAME:
        raise InvalidRevision(f"{name[:80]!r}... in the bundle has a name that no file can have")
    return "/".join(parts)


def link_target(name: str, target: str) -> str:
    """Where the symbolic link *name* leads, as a path inside the bundle. Raises `InvalidRevision` when it leads out.

    `..` may stand only in front: folders on the way to a link are real ones (the inspection sees to it), so leading `..`
    can be counted; behind a name, which may be another link, they cannot.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    folders = name.split("/")[:-1]
    if not target or target.startswith("/") or ups > len(folders) or ".." in parts[ups:]:
        raise InvalidRevision(f"the link {name!r} in the bundle leads out of it, to {target!r}")
    return "/".join(folders[: len(folders) - ups] + parts[ups:])


class _Inspector:
    """Remembers every name, so that two members cannot play tricks together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kinds: dict[str, Kind] = {}
        self.entries = 0
        self.size = 0

    def accept(self, member: Member) -> None:
        self.entries += 1
        self.size += member.size
        if self.size > self._limits.size:
            raise InvalidRevision(f"the bundle unpacks to more than {self._limits.size} bytes, at {member.name!r}")
        name = normal_name(member.name)
        if not name:
            if member.kind != "folder":
                raise InvalidRevision(f"{member.name!r} in the bundle would replace the bundle's own folder")
            return
        if member.kind != "folder" and member.name.endswith(("/", "/.")):
            raise InvalidRevision(f"{member.name!r} in the bundle is a {member.kind} with the name of a folder")
        self._accept_parents(name)
        self._accept_kind(name, member)
        self._remember(name, "file" if member.kind == "hard link" else member.kind)

    def top(self) -> str:
        """Source: CodeDeploy agent 1.8, DownloadBundle: exactly one top entry, and an AppSpec of any name inside it."""
        tops = {name.partition("/")[0] for name in self._kinds}
        if len(tops) != 1:
            return ""
        (top,) = tops
        inside = (name.removeprefix(f"{top}/") for name in self._kinds if name != top)
        return top if any("appspec" in name.lower() for name in inside if "/" not in name) else ""

    def _accept_parents(self, name: str) -> None:
        parent = posixpath.dirname(name)
        missing: list[str] = []
        while parent and parent not in self._kinds:
            missing.append(parent)
            parent = posixpath.dirname(parent)
        if parent and self._kinds[parent] != "folder":
            raise InvalidRevision(f"{name!r} in the bundle lies below {parent!r}, which is a {self._kinds[parent]}")
        for folder in missing:
            self._remember(folder, "folder")

    def _accept_kind(self, name: str, member: Member) -> None:
        before = self._kinds.get(name)
        if before and not before == member.kind == "folder":
            raise InvalidRevision(f"{name!r} stands in the bundle twice")
        if member.kind == "other":
            raise InvalidRevision(
                f"{name!r} in the bundle is neither file, folder nor link (a device, a pipe, a socket?)"
            )
        if member.kind == "link":
            link_target(name, member.target)
        if member.kind == "hard link" and self._kinds.get(normal_name(member.target)) != "file":
            raise InvalidRevision(f"the hard link {name!r} in the bundle names no file before it: {member.target!r}")

    def _remember(self, name: str, kind: Kind) -> None:
        self._kinds[name] = kind
        if len(self._kinds) > self._limits.entries:
            raise InvalidRevision(f"the bundle has more than {self._limits.entries} entries")


def _read_through(member: Member) -> None:
    """To the end, where the checksum is compared."""
    with member.content() as stream:
        while stream.read(_CHUNK):
            pass
