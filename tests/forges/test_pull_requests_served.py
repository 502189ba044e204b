"""A real `penstock serve`: a webhook tells of a pull request, the process dies when it has commented, and it is merged."""

import hashlib
import hmac
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_cases import wait_until
from forge_cases import TOKEN
from forge_stub import Forge
from local_git import commit, git, new_repository
from serving import Server

MANIFEST = """penstock: v1
application: shop
platform: Server
deployment_groups:
  production:
    targets: {tags: {stage: production}}
    rollout: CodeDeployDefault.AllAtOnce
"""
APPSPEC = "version: 0.0\nos: linux\nfiles:\n  - {source: penstock.yaml, destination: /srv}\n"
SECRET = "It's a Secret to Everybody"
ENVIRONMENT = {"FORGE_TOKEN": TOKEN, "SHOP_HOOK": SECRET}


class Site:
    """A repository that stands for acme/shop, and a server that is told of it by webhooks."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self.work, self.forge, self.said = folder / "work", forge, forge.github.conversations
        new_repository(self.work)
        self.write({"penstock.yaml": MANIFEST, "appspec.yml": APPSPEC})
        (folder / "host").mkdir()
        config = folder / "penstock.toml"
        config.write_text(
            f'[forges.github]\napi_url = "{forge.url}"\n'
            f'[repositories.shop]\nurl = "{self.work}"\ngithub = "acme/shop"\ninterval = "1h"\n'
            '[repositories.shop.webhook]\nfrom = "github"\nsecrets = ["env:SHOP_HOOK"]\n'
            '[repositories.shop.report]\nto = "github"\ntoken = "env:FORGE_TOKEN"\npull_requests = true\n'
            f'[hosts.production-1]\nfolder = "{folder / "host"}"\ntags = {{stage = "production"}}\n'
        )
        self.server = Server(config, folder / "state", ENVIRONMENT)

    def write(self, files: dict[str, str]) -> str:
        for name, content in files.items():
            (self.work / name).write_text(content)
        git(self.work, "add", "--all")
        made = commit(self.work)
        self.forge.github.add("acme/shop", made)
        return made

    def propose(self, content: str) -> str:
        git(self.work, "checkout", "--quiet", "-B", "topic", "main")
        head = self.write({"a.txt": content})
        git(self.work, "checkout", "--quiet", "main")
        self.said.open("acme/shop", 7, head)
        return head

    def merge(self) -> str:
        git(self.work, "merge", "--quiet", "--no-ff", "--message", "merge", "topic")
        made = git(self.work, "rev-parse", "HEAD")
        self.forge.github.add("acme/shop", made)
        self.said.pull_requests.clear()
        self.said.merged[made] = [7]
        return made

    def deliver(self, event: str, name: str) -> None:
        """A webhook, as GitHub signs it."""
        body = json.dumps({"action": "opened", "pull_request": {"base": {"ref": "main"}}}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": name,
            "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        request = urllib.request.Request(f"{self.server.url}/webhooks/shop", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202


@pytest.fixture
def site(forge: Forge, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, forge)
    made.server.start()
    yield made
    made.server.kill()


def test_a_delivery_brings_the_comment_a_death_no_second_one_and_the_merge_its_rollout(
    site: Site, forge: Forge
) -> None:
    wait_until(lambda: forge.asked("GET", "/pulls"), "the first look at pull requests")
    died = []

    def die(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/issues/7/comments") and not died:
            died.append(site.server.pid)
            os.kill(site.server.pid, signal.SIGKILL)

    forge.after_storing = die
    site.propose("one\n")
    site.deliver("pull_request", "d-1")
    wait_until(lambda: died, "the kill")
    site.server.kill()  # it is dead; this waits for it
    assert len(site.said.of(7)) == 1
    site.server.start()
    wait_until(lambda: _plan(forge), "the status")
    assert len(site.said.of(7)) == 1
    assert _plan(forge)[-1] == ("success", "merging deploys 1 application: shop")

    made = site.merge()
    site.deliver("push", "d-2")
    wait_until(lambda: len(site.said.of(7)) == 2 and "### Deployed\n" in site.said.of(7)[1], "the end of the rollout")
    assert made[:10] in site.said.of(7)[1]
    assert "succeeded" in site.said.of(7)[1]


def _plan(forge: Forge) -> list[tuple[str, str]]:
    return [
        (each["state"], each["description"]) for each in forge.github.statuses if each["context"] == "penstock/plan"
    ]
