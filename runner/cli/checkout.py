"""What the git checkout around a folder says: its HEAD, its branch, its remotes. Asks the `git` command; changes nothing."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runner.config import RepositoryConfig
from runner.errors import UserError

_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?!//)(?P<path>.+)")
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^@/]+@)?(?P<host>[^:/]+)(?::\d+)?/(?P<path>.+)")


class Checkout(NamedTuple):
    """*root*: top of the work tree (the repository itself, when it is bare). *branch* None: HEAD is detached.

    *tag*: a tag of this very commit, when HEAD is detached. *uncommitted*: how many files differ from HEAD.
    """

    root: Path
    commit_id: str
    branch: str | None
    tag: str | None
    remotes: tuple[str, ...]
    uncommitted: int


def find(folder: Path) -> Checkout:
    """The checkout that *folder* is in. Raises `UserError` when there is none, or nothing was committed yet."""
    root = _root(folder)
    commit_id = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if commit_id is None:
        raise UserError(
            f"{root} has no commit yet; `git add -A && git commit` makes one, and only commits are deployed"
        )
    branch = _git(root, "symbolic-ref", "--short", "--quiet", "HEAD")
    tag = None if branch else _git(root, "describe", "--exact-match", "--tags", "HEAD")
    return Checkout(root, commit_id, branch, tag, _remotes(root), _uncommitted(root))


def find_if_any(folder: Path) -> Checkout | None:
    """As `find`, and None where it would raise."""
    try:
        return find(folder)
    except UserError:
        return None


def configured(checkout: Checkout, repositories: Iterable[RepositoryConfig]) -> RepositoryConfig | None:
    """The configured repository that is this checkout, or one of its remotes."""
    known = tuple(repositories)
    for places in ((str(checkout.root), str(checkout.root / ".git")), checkout.remotes):
        wanted = {_place(place, checkout.root) for place in places}
        for repository in known:
            if _place(repository.url, Path.cwd()) in wanted:
                return repository
    return None


def as_repository(checkout: Checkout, repositories: Iterable[RepositoryConfig]) -> RepositoryConfig:
    """The checkout as a repository of its own, under a name that no configured one has."""
    taken = {repository.name for repository in repositories}
    name = re.sub(r"[^A-Za-z0-9._-]", "-", checkout.root.name) or "checkout"
    while name in taken:
        name += "-checkout"
    return RepositoryConfig(name=name, url=str(checkout.root))


def _place(url: str, base: Path) -> tuple[str, str]:
    """Host and path that *url* means, however it is spelled; the host is empty for a path on this machine."""
    if match := _URL.fullmatch(url):
        return match["host"].lower(), _bare(match["path"])
    local = url.removeprefix("file://")
    if url == local and not Path(url).exists() and (match := _SCP_LIKE.fullmatch(url)):
        return match["host"].lower(), _bare(match["path"])
    return "", str((base / Path(local).expanduser()).resolve())


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".git")


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if top := _git(folder, "rev-parse", "--show-toplevel"):
        return Path(top)
    if bare := _git(folder, "rev-parse", "--absolute-git-dir"):
        return Path(bare)
    said = _run(folder, "rev-parse", "--absolute-git-dir").stderr
    if "not a git repository" in said:
        raise UserError(f"{folder.resolve()} is not in a git repository; `git init` makes one, or name another with -C")
    raise UserError(f"git cannot read {folder.resolve()}: {said.strip().removeprefix('fatal: ')}")


def _remotes(root: Path) -> tuple[str, ...]:
    lines = (_git(root, "config", "--get-regexp", r"^remote\..*\.url$") or "").splitlines()
    return tuple(line.partition(" ")[2] for line in lines)


def _uncommitted(root: Path) -> int:
    return len((_git(root, "status", "--porcelain") or "").splitlines())


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None when it says no."""
    done = _run(folder, *arguments)
    return done.stdout.strip() or None if done.returncode == 0 else None


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "-c", "core.quotepath=off", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise UserError("the git command is not installed; Penstock asks it for this checkout's HEAD") from None
