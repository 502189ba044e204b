"""Every example payload that GitHub publishes, signed by GitHub's own library."""

import json
from collections.abc import Callable
from typing import Any

import octokit
import pytest
from webhook_rig import SECRETS, door, of_github

from runner.store.store import Store

LOOKED_AFTER = {"push", "create", "delete", "release", "workflow_run", "deployment", "pull_request"}
Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[octokit.Example]:
    folder = tmp_path_factory.mktemp("octokit")
    octokit.install(folder)
    return octokit.examples(folder, SECRETS["env:SHOP_HOOK"])


async def test_all_of_githubs_payloads_are_taken(examples: list[octokit.Example], store: Store, rows: Rows) -> None:
    assert len(examples) > 300
    async with door(store.deliveries) as at:
        for number, each in enumerate(examples):
            headers = of_github(each.body, each.event, f"d-{number}", x_hub_signature_256=each.signature)
            status, told = await at.post("shop", each.body, headers)
            assert (status, told["status"]) == (202, "stored" if each.event in LOOKED_AFTER else "recorded"), each.event
    taken = rows("event, refs")
    assert len(taken) == len(examples)
    named = {event: json.loads(refs) for event, refs in taken if json.loads(refs)}
    assert named.keys() == LOOKED_AFTER - {"deployment"}
    assert all(ref.startswith(("refs/heads/", "refs/tags/")) for refs in named.values() for ref in refs)


async def test_none_is_taken_with_another_secret(examples: list[octokit.Example], store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        for each in examples[:40]:
            headers = of_github(each.body, each.event, x_hub_signature_256=each.signature)
            assert (await at.post("forgotten", each.body, headers))[0] == 403
    assert rows() == []
