"""`penstock init [PATH]`: the first files, commented, ready to be deployed to a host that is a folder."""

import argparse
from pathlib import Path

DESCRIPTION = """\
Writes a commented penstock.yaml, and an appspec.yml with its hook scripts and a penstock.toml with one local host
where there are none, so that the next commit can be deployed at once. Never overwrites anything."""
EXAMPLE = """\
git init shop && cd shop
penstock init && git add -A && git commit -m 'Deploy with Penstock' && penstock deploy"""

_MANIFEST, _APPSPEC, _CONFIG = "penstock.yaml", "appspec.yml", "penstock.toml"
_SCRIPTS = ("scripts/start.sh", "scripts/validate.sh")
_IGNORED = "hosts/.gitignore"  # keeps the local host's folder out of the repository
_PLACEHOLDER = "my-app"


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", nargs="?", type=Path, default=Path(), help="the folder (default: .)")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.errors import UserError, WorldError

    folder: Path = arguments.path
    names = _wanted(folder)
    if there := [name for name in names if (folder / name).exists()]:
        raise UserError(f"{folder.resolve()} already has {', '.join(there)}; nothing was written")
    try:
        _write(folder, names)
    except OSError as error:
        raise WorldError(f"{error.filename} cannot be written: {error.strerror}", retryable=False) from error
    if arguments.output == "json":
        from runner.model.value import to_json

        print(to_json({"written": [str(folder / name) for name in names]}))
    else:
        _say(folder, names)
    return exits.FINE


def _wanted(folder: Path) -> list[str]:
    """A folder with an AppSpec keeps it, and its scripts; one with a configuration keeps that."""
    names = [_MANIFEST]
    if not (folder / _APPSPEC).exists():
        names += [_APPSPEC, *_SCRIPTS]
    if not (folder / _CONFIG).exists():
        names += [_CONFIG, _IGNORED]
    return names


def _write(folder: Path, names: list[str]) -> None:
    application = _application(folder)
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("*\n!.gitignore\n" if name == _IGNORED else _starter(name).replace(_PLACEHOLDER, application))
        if name in _SCRIPTS:
            file.chmod(0o755)


def _starter(name: str) -> str:
    from importlib.resources import files

    return (files("runner.cli") / "starter" / name).read_text(encoding="utf-8")


def _application(folder: Path) -> str:
    """The folder's name, as far as it can be the name of an application (and part of a path, and of a script)."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-.")[:100] or _PLACEHOLDER


def _say(folder: Path, names: list[str]) -> None:
    for name in names:
        print(f"wrote {folder / name}")
    if _APPSPEC not in names:
        print(f"kept {folder / _APPSPEC}")
    if _CONFIG not in names:
        print(f"kept {folder / _CONFIG}: give one of its hosts the tag stage=staging, which penstock.yaml asks for")
    print("\nnext: penstock validate && git add -A && git commit -m 'Deploy with Penstock' && penstock deploy")
