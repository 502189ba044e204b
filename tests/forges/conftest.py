"""A forge that knows the repository acme/shop, and a token for it."""

from collections.abc import Iterator

import pytest
from forge_cases import COMMIT, OTHER, TOKEN
from forge_stub import Forge, running_forge


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    with running_forge() as forge:
        forge.github.add("acme/shop", COMMIT, OTHER)
        forge.bitbucket.repositories.add("acme/shop")
        forge.tokens.add(TOKEN)
        yield forge
