"""What the next commit will name and not hold: submodules and files in Git LFS, for `penstock validate`. Asks git."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from runner.plan.absent import LONGEST_POINTER, is_pointer, of_pointer, of_submodule

_SUBMODULE = "160000"
_BY_LFS = ":(attr:filter=lfs)"  # files that .gitattributes give to Git LFS, whether it is installed or not


class Absent(NamedTuple):
    """*path*: below the folder that was asked about."""

    path: str
    message: str


def absent(folder: Path) -> list[Absent]:
    """All of it in git's index at and below *folder*; nothing where there is no git, or no repository."""
    try:
        submodules = [entry.path for entry in _index(folder) if entry.mode == _SUBMODULE]
        pointers = _pointers(folder, [entry for entry in _index(folder, _BY_LFS) if entry.mode != _SUBMODULE])
    except OSError:
        return []
    return [Absent(each, of_submodule(each)) for each in submodules] + [
        Absent(each, of_pointer(each)) for each in pointers
    ]


class _Entry(NamedTuple):
    mode: str
    blob: str
    path: str


def _index(folder: Path, *pathspec: str) -> Iterator[_Entry]:
    """Lines of the index are `MODE BLOB STAGE\\tPATH`."""
    for line in _git(folder, "ls-files", "-z", "--stage", "--", *pathspec).split(b"\0")[:-1]:
        facts, _, path = os.fsdecode(line).partition("\t")
        mode, blob, _stage = facts.split(" ")
        yield _Entry(mode, blob, path)


def _pointers(folder: Path, entries: Iterable[_Entry]) -> list[str]:
    """Those whose content in the index is a pointer. A file that was added before Git LFS came is none."""
    paths: dict[str, list[str]] = {}
    for entry in entries:
        paths.setdefault(entry.blob, []).append(entry.path)
    if not paths:
        return []
    sizes = _git(folder, "cat-file", "--batch-check=%(objectname) %(objectsize)", given="\n".join(paths)).decode()
    facts = [line.split(" ") for line in sizes.splitlines()]
    small = [blob for blob, size in facts if size.isdigit() and int(size) < LONGEST_POINTER]
    return sorted(path for blob, content in _contents(folder, small) if is_pointer(content) for path in paths[blob])


def _contents(folder: Path, blobs: list[str]) -> Iterator[tuple[str, bytes]]:
    """For each, git writes `BLOB blob SIZE`, a line break, the content and another line break."""
    told, at = _git(folder, "cat-file", "--batch", given="\n".join(blobs)), 0
    while at < len(told):
        head = told[at : told.index(b"\n", at)]
        blob, _kind, size = head.decode().split(" ")
        begin = at + len(head) + 1
        yield blob, told[begin : begin + int(size)]
        at = begin + int(size) + 1


def _git(folder: Path, *arguments: str, given: str = "") -> bytes:
    """What git prints; nothing where it fails."""
    command = ("git", "-C", str(folder), *arguments)
    return subprocess.run(command, input=given.encode(), capture_output=True, check=False).stdout
