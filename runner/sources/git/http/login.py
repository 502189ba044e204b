"""Who we say that we are: HTTP Basic from a repository's address and its `credentials`."""

import base64
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from runner import config as configuration
from runner.config import Credentials, RepositoryConfig
from runner.sources.git.tokens import USER, Login, tokens


class Offer(NamedTuple):
    """*described*: for people; *header*: of the request, None for nobody in particular."""

    described: str
    header: str | None


def offers(config: RepositoryConfig, login: Login | None = None) -> Iterator[Offer]:
    """What to try, one after the other, as libgit2 does it. Raises `UserError` for a secret that is not there.

    What is known is shown without being asked for: otherwise each poll would take two requests.
    """
    if login is not None:
        yield from (_offer(described, USER, token.reveal()) for described, token in tokens(login))
        return
    parts, own = urlsplit(config.url), config.credentials or Credentials()
    user = unquote(parts.username or "")
    if user and (parts.password is not None or not own.password):
        yield _offer("the user name and password in the address", user, unquote(parts.password or ""))
    if own.password:
        name = own.username or user or "git"
        yield _offer(f"the password of {name!r}", name, configuration.secret(own.password).reveal())
    elif not user:
        yield Offer("", None)


def _offer(described: str, user: str, password: str) -> Offer:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Offer(described, f"Basic {pair}")
