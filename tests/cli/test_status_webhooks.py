"""What `penstock status` and /healthz tell of webhooks that cannot work, and of those that nobody has used."""

from pathlib import Path

from acceptance_cases import wait_until
from cli_cases import Penstock
from local_git import new_repository
from serving import serving

GOOD = "0123456789abcdef"


def configure(folder: Path) -> Path:
    """Three repositories: the secret of `shop` is good, that of `web` too short, that of `api` missing."""
    config = folder / "penstock.toml"
    text = ""
    for name in ("shop", "web", "api"):
        new_repository(folder / f"{name}.git", bare=True)
        text += f'[repositories.{name}]\nurl = "{folder}/{name}.git"\ninterval = "1h"\n'
        text += f'webhook = {{from = "github", secrets = ["env:HOOK_OF_{name.upper()}"]}}\n'
    config.write_text(text)
    return config


def test_secrets_that_are_missing_or_short_and_webhooks_without_deliveries_are_told(
    tmp_path: Path, penstock: Penstock
) -> None:
    secrets = {"HOOK_OF_SHOP": GOOD, "HOOK_OF_WEB": GOOD[:15]}
    with serving(configure(tmp_path), tmp_path / "state", secrets) as server:
        wait_until(lambda: len(server.penstock("status")["webhooks"]) == 3, "the webhooks in the state")
        told = {each["repository"]: each.get("problem", "") for each in server.penstock("status")["webhooks"]}
        assert told["shop"] == ""
        assert "env:HOOK_OF_WEB has fewer than 16 characters" in told["web"]
        assert "env:HOOK_OF_API is missing: the environment variable HOOK_OF_API is not set or empty" in told["api"]
        assert server.penstock("health")["webhook_problems"] == 2
        said = penstock("status").out
        assert "webhook web: the secret env:HOOK_OF_WEB has fewer than 16 characters" in said
        assert "webhook api: the secret env:HOOK_OF_API is missing" in said
        for name in ("shop", "web", "api"):
            assert f"webhook {name}: no delivery yet" in said
        assert GOOD[:15] not in said
