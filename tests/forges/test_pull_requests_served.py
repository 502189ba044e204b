"""A real `penstock serve`: a webhook tells of a pull request, the process dies when it has commented, and it is merged."""

import hashlib
import hmac
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from acceptance_cases import wait_until
from forge_cases import TOKEN
from forge_previews import CLOUD, DATA_CENTER, FORGES, GITHUB, LISTS
from forge_stub import Forge
from local_git import commit, git, new_repository
from serving import Server
from shop import MANIFEST, appspec

from runner.model.pull_request import CHECK

SAYS = "merging deploys 1 application: shop"
SECRET = "It's a Secret to Everybody"
ENVIRONMENT = {"FORGE_TOKEN": TOKEN, "SHOP_HOOK": SECRET}


class Way(NamedTuple):
    """One kind of forge. *table*: of its address in the configuration. Then events of webhooks, and names of headers."""

    table: str
    opened: tuple[str, object]
    pushed: tuple[str, object]
    event: str
    delivery: str
    signature: str


WAYS = {
    GITHUB: Way(
        "github",
        ("pull_request", {"action": "opened", "pull_request": {"base": {"ref": "main"}}}),
        ("push", {"ref": "refs/heads/main"}),
        "X-GitHub-Event",
        "X-GitHub-Delivery",
        "X-Hub-Signature-256",
    ),
    CLOUD: Way(
        "bitbucket",
        ("pullrequest:created", {"pullrequest": {"id": 7}}),
        ("repo:push", {"push": {"changes": [{"new": {"name": "main", "type": "branch"}}]}}),
        "X-Event-Key",
        "X-Request-UUID",
        "X-Hub-Signature",
    ),
    DATA_CENTER: Way(
        "bitbucket-data-center",
        ("pr:from_ref_updated", {"pullRequest": {"id": 7}}),
        ("repo:refs_changed", {"changes": [{"refId": "refs/heads/main"}]}),
        "X-Event-Key",
        "X-Request-Id",
        "X-Hub-Signature",
    ),
}


class Site:
    """A repository that stands for acme/shop, and a server that is told of it by webhooks."""

    def __init__(self, folder: Path, forge: Forge, to: str) -> None:
        self.work, self.forge, self.to, self.way = folder / "acme" / "shop", forge, to, WAYS[to]
        self.said: Any = (forge.github if to == GITHUB else forge.bitbucket).conversations
        new_repository(self.work)
        self.write({"penstock.yaml": MANIFEST, "appspec.yml": appspec("penstock.yaml")})
        (folder / "host").mkdir()
        config, own = folder / "penstock.toml", 'github = "acme/shop"\n' if to == GITHUB else ""
        config.write_text(
            f'[forges.{self.way.table}]\napi_url = "{forge.url}"\n'
            f'[repositories.shop]\nurl = "{self.work}"\ninterval = "1h"\n{own}'
            f'[repositories.shop.webhook]\nfrom = "{to}"\nsecrets = ["env:SHOP_HOOK"]\n'
            f'[repositories.shop.report]\nto = "{to}"\ntoken = "env:FORGE_TOKEN"\npull_requests = true\n'
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
        self.said.close()
        self.said.merged[made] = [7]
        return made

    def plans(self) -> list[tuple[str, str]]:
        """What the check has said: state and text."""
        if self.to == GITHUB:
            there = [each for each in self.forge.github.statuses if each["context"] == CHECK]
        else:
            there = [each for (_, _, key), each in self.forge.bitbucket.builds.items() if key == CHECK]
        return [(each["state"].lower(), each["description"]) for each in there]

    def deliver(self, told: tuple[str, object], name: str) -> None:
        """A webhook, as the forge signs it."""
        event, body = told[0], json.dumps(told[1]).encode()
        headers = {
            "Content-Type": "application/json",
            self.way.event: event,
            self.way.delivery: name,
            self.way.signature: "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        request = urllib.request.Request(f"{self.server.url}/webhooks/shop", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202


@pytest.fixture(params=FORGES)
def site(request: pytest.FixtureRequest, forge: Forge, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, forge, request.param)
    made.server.start()
    yield made
    made.server.kill()


def test_a_delivery_brings_the_comment_a_death_no_second_one_and_the_merge_its_rollout(
    site: Site, forge: Forge
) -> None:
    wait_until(lambda: forge.asked("GET", LISTS[site.to]), "the first look at pull requests")
    died = []

    def die(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/7/comments") and not died:
            died.append(site.server.pid)
            os.kill(site.server.pid, signal.SIGKILL)

    forge.after_storing = die
    site.propose("one\n")
    site.deliver(site.way.opened, "d-1")
    wait_until(lambda: died, "the kill")
    site.server.kill()  # it is dead; this waits for it
    assert len(site.said.of(7)) == 1
    site.server.start()
    wait_until(site.plans, "the status")
    assert len(site.said.of(7)) == 1
    assert site.plans() in ([("success", SAYS)], [("successful", SAYS)])

    made = site.merge()
    site.deliver(site.way.pushed, "d-2")
    wait_until(lambda: len(site.said.of(7)) == 2 and "### Deployed\n" in site.said.of(7)[1], "the end of the rollout")
    assert made[:10] in site.said.of(7)[1]
    assert "succeeded" in site.said.of(7)[1]
