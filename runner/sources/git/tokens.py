"""Git over https with tokens that are made when they are needed, as a GitHub App has them."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from runner.config import RepositoryConfig
from runner.log import Secret

Login: TypeAlias = Callable[[Secret | None], Secret]
"""A token, now. Told one that was refused, it gets another. May block; raises `WorldError`."""

Logins: TypeAlias = Callable[[RepositoryConfig], Login | None]
"""Who has tokens for which repository; None for one that has its own `credentials`, or none."""

USER = "x-access-token"  # what GitHub takes as the user's name


def tokens(login: Login) -> Iterator[tuple[str, Secret]]:
    """What to try, with its description: the token that is kept, and when that is refused before its time, a new one."""
    token = login(None)
    yield "the token of the GitHub App", token
    if (fresh := login(token)) != token:
        yield "a new token of the GitHub App", fresh
