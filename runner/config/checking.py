"""The file as data: read, checked against `schemas/config.schema.json`, every mistake with its line."""

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner import schema, toml
from runner.config import forges
from runner.config.values import SSH_KEYS, is_remote, protected_branch
from runner.errors import InvalidFiles, Mistake, UserError

NOT_BUILT: schema.NotBuilt = {
    "": frozenset({"database", "api_keys", "roles", "people", "approvals"}),
}


def check(file: Path) -> list[Mistake]:
    """Every mistake of *file*; empty when all is well. Raises `UserError` when the file cannot be read."""
    try:
        checked(file)
    except InvalidFiles as error:
        return list(error.mistakes)
    return []


def checked(file: Path) -> dict[str, Any]:
    return _checked_text(str(file), _text(file))


@functools.lru_cache(maxsize=1)
def _checked_text(file: str, text: str) -> dict[str, Any]:
    """What *text*, of *file*, says; nobody changes it. Some commands look twice, and fleets are large."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidFiles([toml.syntax_mistake(file, text, error)]) from error
    dates = _dates(data)
    dated = {problem.path for problem in dates}
    others = schema.check(data, "config", not_built=NOT_BUILT) + list(_host_problems(data.get("hosts")))
    others += _instance_problems(data)
    problems = dates + [problem for problem in others if problem.path not in dated]
    lines = toml.Lines(text)
    mistakes = schema.mistakes(problems, str(file), lines.line)
    mistakes += [
        Mistake(file=str(file), line=lines.line(("repositories", name)), path=f"repositories.{name}", message=message)
        for name, message in _contradictions(data if not problems else {})
    ]
    if mistakes:
        raise InvalidFiles(mistakes)
    return data


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFiles([Mistake(file=str(file), line=0, path="", message="is not UTF-8 text")]) from error
    except OSError as error:
        raise UserError(f"the configuration {file} cannot be read: {error.strerror}") from error


def _dates(data: Any, path: schema.Path = ()) -> list[schema.Problem]:
    """TOML has dates, JSON Schema has not, and no key of ours is one: they are noted, and taken out of *data*."""
    found = []
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        if isinstance(value, (dict, list)):
            found += _dates(value, (*path, key))
        elif isinstance(value, (dt.date, dt.time)):
            found.append(schema.Problem((*path, key), "type", "expected no date; put text in quotes"))
            data[key] = ""
    return found


def _contradictions(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a repository as a whole: its name, and why."""
    found = []
    for name, repository in data.get("repositories", {}).items():
        if "branch" in repository and "branches" in repository:
            found.append((name, "has both branch and branches; write one of them"))
        if "private_key_passphrase" in repository and "private_key" not in repository:
            found.append((name, "has a private_key_passphrase but no private_key"))
        if repository.get("watch") == "files" and "webhook" in repository:
            found.append((name, 'has a webhook and watch = "files", which sees every commit by itself; remove one'))
        if repository.get("watch") == "files" and is_remote(repository["url"]):
            found.append((name, 'watch = "files" needs a repository of this machine; use watch = "poll"'))
        if "signatures" in repository and protected_branch(repository) is None:
            found.append((name, "has signatures, but no branch without a wildcard; name one in signatures.branch"))
    return found + list(forges.problems(data))


def _host_problems(hosts: Any) -> Iterator[schema.Problem]:
    """What a host lacks, or has too much, for its transport."""
    for name, host in hosts.items() if isinstance(hosts, dict) else ():
        if not isinstance(host, dict):
            continue
        over_ssh, has_agent = host.get("transport") == "ssh", host.get("transport") == "agent"
        alien = [] if over_ssh else [key for key in host if key in SSH_KEYS]
        for key in alien:
            yield schema.Problem(("hosts", name, key), "", 'is for hosts with transport = "ssh"; this one has another')
        folder = host.get("folder")
        if folder is None and not over_ssh and not has_agent and not (alien and "transport" not in host):
            yield schema.Problem(("hosts", name), "required", _NO_FOLDER)
        if (over_ssh or has_agent) and isinstance(folder, str) and not _FOLDER_ON_HOST.fullmatch(folder):
            yield schema.Problem(("hosts", name, "folder"), "pattern", _NOT_ABSOLUTE)


def _instance_problems(data: dict[str, Any]) -> Iterator[schema.Problem]:
    """What `[instances]` has too much, and hosts that claim to be the same instance."""
    instances, seen = data.get("instances"), dict[str, str]()
    if isinstance(instances, dict) and instances.get("transport") == "agent":
        for key in SSH_KEYS & instances.keys():
            yield schema.Problem(("instances", key), "", 'is for transport = "ssh"; instances have another')
    hosts = data.get("hosts")
    for name, host in hosts.items() if isinstance(hosts, dict) else ():
        instance = host.get("instance") if isinstance(host, dict) else None
        if isinstance(instance, str) and seen.setdefault(instance, name) != name:
            yield schema.Problem(("hosts", name, "instance"), "", f"{instance} is host {seen[instance]} already")


_NO_FOLDER = 'names no folder; give folder = "PATH", which stands for the host\'s /'
_NOT_ABSOLUTE = "expected an absolute path on the host, without line breaks and backslashes"
_FOLDER_ON_HOST = re.compile(r"/[^\\\x00-\x1f]*")
