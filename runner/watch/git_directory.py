"""Finds the git directory of a local repository: where its refs are files. Reads no refs."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from runner.errors import UserError, WorldError


def local_path(url: str) -> Path:
    """The path that a repository's URL names: an absolute or relative path, or file://. Raises `UserError` for others."""
    if "://" not in url:
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    raise UserError(
        '`watch = "files"` needs a repository on this machine, as a path or file:///...; use `watch = "poll"`'
    )


def git_directory(url: str) -> Path:
    """The directory that holds the refs of the repository at *url*: of a work tree, a linked work tree, or a bare one.

    Raises `UserError` when *url* is not local, `WorldError` when there is no repository at that place (now).
    """
    path = local_path(url)
    try:
        for candidate in (path / ".git", path, path.with_name(f"{path.name}.git")):  # git looks in this order, too
            found = _common(_pointed_to(candidate))
            if (found / "HEAD").is_file() and (found / "objects").is_dir():
                return found.resolve()
    except (OSError, UnicodeDecodeError) as error:
        raise WorldError(f"cannot read the repository at {path}: {error}") from error
    raise WorldError(f"there is no git repository at {path}")


def _pointed_to(path: Path) -> Path:
    """A linked work tree and a submodule have a file `.git` that names the directory."""
    if not path.is_file():
        return path
    text = path.read_text().strip()
    return path.parent / text.removeprefix("gitdir:").strip() if text.startswith("gitdir:") else path


def _common(directory: Path) -> Path:
    """A linked work tree has only its own HEAD; `commondir` names the directory that all its siblings share."""
    pointer = directory / "commondir"
    return directory / pointer.read_text().strip() if pointer.is_file() else directory
