"""How a webhook is configured."""

from pathlib import Path

import pytest

from runner.config import WebhookConfig, load
from runner.errors import InvalidFiles


def read(folder: Path, text: str, url: str = "https://example.com/shop.git") -> WebhookConfig | None:
    file = folder / "penstock.toml"
    file.write_text(f'[repositories.shop]\nurl = "{url}"\n{text}', encoding="utf-8")
    return load(file, {}).repositories[0].webhook


def test_a_repository_without_one_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, "") is None


def test_sender_and_secrets_are_read_and_files_are_found_from_the_configurations_folder(tmp_path: Path) -> None:
    text = '[repositories.shop.webhook]\nfrom = "bitbucket"\nsecrets = ["env:OLD", "file:new"]'
    assert read(tmp_path, text) == WebhookConfig(sender="bitbucket", secrets=("env:OLD", f"file:{tmp_path}/new"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('webhook = {from = "github"}', "secrets"),
        ('webhook = {from = "gitlab", secrets = ["env:A"]}', "github"),
        ('webhook = {from = "github", secrets = []}', "secrets"),
        ('webhook = {from = "github", secrets = ["env:A", "env:B", "env:C"]}', "secrets"),
        ('webhook = {from = "github", secrets = ["hunter2"]}', "a reference to a secret"),
        ('webhook_secret = "env:A"', "webhook_secret"),
        ('watch = "webhook"', "poll"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidFiles) as caught:
        read(tmp_path, text)
    assert message in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_local_repository_that_is_watched_anyway_needs_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidFiles, match="sees every commit by itself"):
        read(tmp_path, 'watch = "files"\nwebhook = {from = "github", secrets = ["env:A"]}', url="/srv/shop")
