"""Which repository is meant by `OWNER/NAME` of GitHub: a configured one, else GitHub's own, read without credentials."""

import re
from collections.abc import Iterable

from runner.config import RepositoryConfig

_URL = re.compile(
    r"(?:https?://(?:[^/@]*@)?|ssh://(?:[^/@]*@)?|git://|[^/@:]+@)github\.com(?::\d+)?[/:](?P<path>[^?#]+)",
    re.IGNORECASE,
)


def repository_of(name: str, configured: Iterable[RepositoryConfig]) -> RepositoryConfig:
    """*name*: `OWNER/NAME`; GitHub does not tell upper from lower case.

    One that says `github = "OWNER/NAME"` comes before one whose address is GitHub's.
    """
    known = tuple(configured)
    wanted = name.lower()
    for of in (_declared, _by_address):
        for each in known:
            if of(each) == wanted:
                return each
    return RepositoryConfig(name=f"github.com/{wanted}", url=f"https://github.com/{name}")


def _declared(config: RepositoryConfig) -> str | None:
    return config.github.lower() if config.github else None


def _by_address(config: RepositoryConfig) -> str | None:
    found = _URL.fullmatch(config.url)
    return found["path"].strip("/").removesuffix(".git").lower() if found else None
