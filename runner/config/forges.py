"""Where a repository is on its forge, as far as its address tells; and what cannot work of `report` and `github_app`."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from runner.errors import UserError

GITHUB = "https://api.github.com"
_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")  # user@host:path
_LAST_TWO = re.compile(r"(?P<start>.*[/:])[^/:]+/[^/]+?(?P<end>(?:\.git)?/?)")
_NAME = re.compile(r"[A-Za-z0-9_~][A-Za-z0-9_.~-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def owner_and_name(url: str, github: str | None = None) -> str | None:
    """`OWNER/NAME` (for Bitbucket workspace or project, and repository); None where *url* has not so much."""
    if github is not None:
        return github
    parts = [part for part in _path(url).removesuffix("/").removesuffix(".git").split("/") if part]
    return "/".join(parts[-2:]) if len(parts) >= 2 else None


def beside(url: str, name: str) -> str:
    """The address of the repository *name*, `OWNER/NAME`, on the server of *url*, which ends likewise.

    A stranger may have chosen the name: it leads nowhere else. Raises `UserError`.
    """
    found = _LAST_TWO.fullmatch(url)
    if found is None or owner_and_name(url) is None or not _NAME.fullmatch(name):
        raise UserError(f"there can be no repository {name!r} beside this one")
    return f"{found['start']}{name}{found['end']}"


def problems(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Repositories of a whole configuration that ask for what cannot be: name and why."""
    forges = data.get("forges", {})
    for name, repository in data.get("repositories", {}).items():
        if "report" in repository:
            yield from ((name, why) for why in _report_problems(repository, forges))
        if repository.get("github_app"):
            yield from ((name, why) for why in _app_problems(repository, forges.get("github", {})))


def _report_problems(repository: dict[str, Any], forges: dict[str, Any]) -> Iterator[str]:
    report = repository["report"]
    to, by_app = report["to"], repository.get("github_app", False)
    if "token" not in report and not (by_app and to == "github"):
        yield "has a report without a token" + ("; give one, or github_app = true" if to == "github" else "")
    if "username" in report and "token" not in report:
        yield "has a report with a username but no token"
    if to == "bitbucket-data-center" and to not in forges:
        yield "is reported to a Bitbucket Data Center; say where that is, as [forges.bitbucket-data-center] api_url"
    if owner_and_name(repository["url"], repository.get("github")) is None:
        yield "is reported, but its url does not end with OWNER/NAME"
    if to == "github" and "github" not in repository:
        own, there = _host(repository["url"]), _web_host(forges.get("github", {}))
        if own != there:
            yield f'is not on {there}, but reported there; give github = "OWNER/NAME", or [forges.github] api_url'


def _app_problems(repository: dict[str, Any], github: dict[str, Any]) -> Iterator[str]:
    parts, there = _parts(repository["url"]), _web_host(github)
    if "app_id" not in github:
        yield "has github_app = true, but [forges.github] names no app_id and private_key"
    if "password" in repository:
        yield "has both a password and github_app = true; remove one"
    if parts.username is not None:
        yield "has github_app = true and a user name in its url; remove that"
    if parts.hostname != there or not (parts.scheme == "https" or parts.hostname in _LOOPBACK):
        yield f"has github_app = true; its url must be https://{there}/OWNER/NAME, where the App's tokens are good"


def _web_host(github: dict[str, Any]) -> str:
    """Where the repositories are, of the GitHub whose API is at `api_url`."""
    return (_parts(github.get("api_url", GITHUB)).hostname or "").removeprefix("api.")


def _host(url: str) -> str | None:
    if "://" in url:
        return _parts(url).hostname
    found = _SCP.fullmatch(url)
    return found["host"].lower() if found else None


def _path(url: str) -> str:
    if "://" in url:
        return _parts(url).path
    found = _SCP.fullmatch(url)
    return found["path"] if found else url


def _parts(url: str) -> SplitResult:
    """Of something that is no URL: nothing."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
