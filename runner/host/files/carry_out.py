"""Carries out one instruction of an Install."""

from __future__ import annotations

import grp
import os
import pwd

from runner.host.files.cleanup import SEMANAGE
from runner.host.files.copying import copy_file
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def carry_out(instruction: dict[str, Any], record: Callable[[str], None]) -> None:
    """Carry out *instruction*; *record* notes a path for the next cleanup: a file before it is there, a directory after.

    Raises `OSError`, and `Failure` for an unknown owner or a tool that is missing or fails.
    """
    kind = instruction["type"]
    if kind == "mkdir":
        os.mkdir(instruction["directory"])
        record(instruction["directory"])
    elif kind == "copy":
        record(instruction["destination"])
        copy_file(instruction["source"], instruction["destination"])
    elif kind == "chmod":
        os.chmod(instruction["file"], int(instruction["mode"] or "0", 8))
    elif kind == "setfacl":
        _run(["setfacl", "--set", ",".join(_whole_acl(instruction["file"], instruction["acl"])), instruction["file"]])
    elif kind == "semanage":
        _set_context(instruction["file"], instruction["context"], record)
    elif kind == "chown":
        _set_owner(instruction["file"], instruction["owner"], instruction["group"])


def _whole_acl(path: str, entries: list[str]) -> list[str]:
    """`setfacl --set` replaces the list, so the base entries are made from the current mode, and a mask where needed."""
    mode = os.stat(path).st_mode
    user, group, other = ((mode >> shift) & 7 for shift in (6, 3, 0))
    acl = ["user::{}".format(user), "group::{}".format(group), "other::{}".format(other)]
    acl += entries
    own = [entry for entry in entries if not entry.startswith("default:")]
    if _lacks_mask(own):
        acl.append("mask::{}".format(group))
    defaults = [entry[len("default:") :] for entry in entries if entry.startswith("default:")]
    if defaults:
        present = {entry.split(":")[0] for entry in defaults if entry.split(":")[1] == ""}
        for kind, bits in (("user", user), ("group", group), ("other", other)):
            if kind not in present:
                acl.append("default:{}::{}".format(kind, bits))
        if _lacks_mask(defaults):
            acl.append("default:mask::{}".format(group))
    return acl


def _lacks_mask(entries: list[str]) -> bool:
    named = any(entry.split(":")[0] in ("user", "group") and entry.split(":")[1] for entry in entries)
    return named and not any(entry.startswith("mask:") for entry in entries)


def _set_context(path: str, context: dict[str, str | None], record: Callable[[str], None]) -> None:
    command = ["semanage", "fcontext", "-a"]
    for option, value in (("-s", context["user"]), ("-t", context["type"]), ("-r", context["range"])):
        command += [option, value] if value else []
    _run([*command, path])
    record(SEMANAGE + path)
    _run(["restorecon", "-v", path])


def _set_owner(path: str, owner: str | None, group: str | None) -> None:
    try:
        uid = -1 if owner is None else int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
        gid = -1 if group is None else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise Failure(
            "{} cannot be given away: this host has no such owner or group: {}".format(path, error)
        ) from error
    os.chown(path, uid, gid)


def _run(command: list[str]) -> None:
    import subprocess  # costly, and hardly ever needed

    try:
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Failure(
            "The permissions need the program {}, which this host does not have.".format(command[0])
        ) from error
    if done.returncode:
        message = "Exit code {} from: {}\n{}".format(
            done.returncode, " ".join(command), done.stderr.decode("utf-8", "replace")
        )
        raise Failure(message)
