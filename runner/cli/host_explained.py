"""How `penstock host check` tells what was found."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from runner.cli.host_subject import Subject
from runner.cli.screen import console, line, table
from runner.cli.words import count
from runner.model.explanation import Explanation, ScriptCheck, Setting
from runner.model.size import format_size

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 20  # of each kind, unless everything is asked for


def as_json(subject: Subject, found: Explanation) -> str:
    """Everything; names in other encodings have lone surrogates, as Python reads them."""
    head = {
        "host": subject.host.name,
        "group": subject.place,
        "bundle": subject.label,
        "appspec": {"file": subject.job.appspec_file, "warnings": [each._asdict() for each in subject.warnings]},
        "would_succeed": not found.problems,
    }
    return json.dumps(head | msgspec.to_builtins(found))


def show(subject: Subject, found: Explanation, *, everything: bool) -> None:
    """The same for people; long lists are cut unless *everything* is wanted."""
    out, most = console(), None if everything else _MOST
    line(out, Text(f"{subject.label} on {subject.host.name}", style="bold"), _as_what(subject))
    for warning in subject.warnings:
        line(out, f"{warning} (warning)")
    _scripts(out, found.scripts)
    size = format_size(sum(copy.size for copy in found.copies))
    _list(out, f"removes {count(len(found.removed), 'path')} of the previous revision", found.removed, most)
    _list(
        out,
        f"leaves {_directories(len(found.kept))} with something else inside",
        found.kept,
        most,
    )
    _list(out, f"makes {_directories(len(found.directories))}", found.directories, most)
    copies = [
        f"{each.source} -> {each.destination}{' (replaces it)' if each.replaces else ''}" for each in found.copies
    ]
    _list(out, f"copies {count(len(copies), 'file')}, {size}", copies, most)
    _list(out, f"retains {count(len(found.retained), 'file')} as they are", found.retained, most)
    _list(
        out, f"sets {count(len(found.permissions), 'permission')}", [_setting(each) for each in found.permissions], most
    )
    for room in found.space:
        line(
            out,
            f"needs {format_size(room.needed)} on the file system of {room.path}; {format_size(room.free)} are free",
        )
    for note in found.notes:
        line(out, f"note: {note}")
    _verdict(out, found, most)


def _as_what(subject: Subject) -> str:
    return f", as a deployment to {subject.place}" if subject.place else ", as a first deployment"


def _directories(number: int) -> str:
    return "1 directory" if number == 1 else f"{number} directories"


def _scripts(out: "Console", scripts: Sequence[ScriptCheck]) -> None:
    if scripts:
        head = ("EVENT", "SCRIPT", "OF", "RUN BY", "AS", "TIMEOUT")
        table(out, head, [_script(each) for each in scripts])


def _script(each: ScriptCheck) -> tuple[str, ...]:
    how = each.interpreter or "/bin/sh, or itself"
    who = " ".join(word for word in ("sudo" if each.sudo else "", each.runas or "") if word)
    return (
        each.event,
        each.location,
        each.deployment or "this bundle",
        how if each.exists else "-",
        who,
        f"{each.timeout}s",
    )


def _setting(each: Setting) -> str:
    owner = f"{each.owner or ''}:{each.group or ''}"
    what = {"chmod": each.mode, "chown": owner, "setfacl": ",".join(each.acl), "semanage": each.context.get("type")}
    return f"{each.type} {what.get(each.type) or ''} {each.file}"


def _list(out: "Console", title: str, entries: Sequence[str], most: int | None) -> None:
    if not entries:
        return
    line(out, f"{title}:")
    for entry in entries[:most]:
        line(out, f"  {_shown(entry)}")
    if most is not None and len(entries) > most:
        line(out, f"  ... and {len(entries) - most} more; --verbose shows them")


def _verdict(out: "Console", found: Explanation, most: int | None) -> None:
    if not found.problems:
        line(out, Text("It would succeed, as far as can be told without running its scripts.", style="green"))
        return
    line(out, Text(f"It would fail: {count(len(found.problems), 'problem')}", style="bold red"))
    for problem in found.problems[:most]:
        line(out, f"  {problem.event}: {_shown(problem.message)}")
    if most is not None and len(found.problems) > most:
        line(out, f"  ... and {len(found.problems) - most} more; --verbose shows them")


def _shown(text: str) -> str:
    """*text* in what a terminal can write: bytes that are no UTF-8 become replacement characters."""
    return text.encode(errors="surrogateescape").decode(errors="replace").replace("\n", " ")
