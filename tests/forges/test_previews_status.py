"""What `penstock status` says of pull requests that cannot be told: a real `penstock sync`, with a token that is revoked."""

import json
from pathlib import Path

import pytest
from cli_cases import Penstock
from forge_cases import TOKEN
from forge_previews import CLOUD, World, text
from forge_stub import Forge


def test_status_says_which_pull_requests_are_not_told_and_why(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path / "work", forge, to=CLOUD)
    world.store.close()
    (world.work / "penstock.yaml").unlink()
    world.write({"README": "nothing is deployed yet\n"})
    world.propose({"penstock.yaml": text()})
    (tmp_path / "host").mkdir()
    (tmp_path / "penstock.toml").write_text(
        f'[forges.bitbucket]\napi_url = "{forge.url}"\n'
        f'[repositories.shop]\nurl = "{world.work}"\n'
        f'[repositories.shop.report]\nto = "bitbucket"\ntoken = "env:FORGE_TOKEN"\npull_requests = true\n'
        f'[hosts.web-1]\nfolder = "{tmp_path / "host"}"\ntags = {{app = "web"}}\n'
    )
    penstock = Penstock(tmp_path, tmp_path / "state", capsys)
    state = ("--state", str(tmp_path / "state"))

    forge.tokens.clear()
    for _ in range(2):
        penstock(*state, "sync")
    said = penstock(*state, "status").out
    assert "pull requests of shop: could not be asked for (failed 2 times, last at " in said
    assert "status 401" in said
    assert TOKEN not in said
    (told,) = json.loads(penstock(*state, "--output", "json", "status").out)["pull_requests"]
    assert (told["repository"], told["failures"]) == ("shop", 2)

    forge.tokens.add(TOKEN)
    penstock(*state, "sync")
    assert len(world.said.of(7)) == 1
    assert "pull requests of shop" not in penstock(*state, "status").out
