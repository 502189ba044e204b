"""What kind of environment a deployment group is, by its name: Bitbucket Data Center knows four kinds."""

import re
from typing import Literal, TypeAlias

Tier: TypeAlias = Literal["DEVELOPMENT", "TESTING", "STAGING", "PRODUCTION"]

_WORDS: dict[str, Tier] = {
    **dict.fromkeys(("production", "prod", "live"), "PRODUCTION"),
    **dict.fromkeys(("staging", "stage", "preproduction", "preprod"), "STAGING"),
    **dict.fromkeys(("testing", "test", "qa"), "TESTING"),
    **dict.fromkeys(("development", "dev"), "DEVELOPMENT"),
}
_OTHERWISE = {"pre", "non", "not"}  # `non-prod` is not production


def tier(group: str) -> Tier | None:
    """By the one kind that the words of the name say: `production`, `eu-prod`. None where they say none, or several."""
    words = set(re.split(r"[^a-z]+", group.lower()))
    said = {_WORDS[word] for word in words & _WORDS.keys()}
    return said.pop() if len(said) == 1 and not words & _OTHERWISE else None
