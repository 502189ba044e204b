"""Pull requests at the stub of a forge, GitHub or Bitbucket, beside a real repository and a real store."""

import datetime as dt
import html
import re
from pathlib import Path
from typing import Any, NamedTuple

from forge_stub import Forge
from local_git import commit, git, new_repository
from store_cases import PIPELINE

from runner.config import Config, ForgeConfig, ForgesConfig, ReportConfig, RepositoryConfig
from runner.forges import Forges
from runner.model.target import Host
from runner.previews import Maker, Previews
from runner.service import Service
from runner.sources.all import AllSources
from runner.store.store import Store

GITHUB, CLOUD, DATA_CENTER = FORGES = ("github", "bitbucket", "bitbucket-data-center")
LISTS = {
    GITHUB: "/repos/acme/shop/pulls",
    CLOUD: "/2.0/repositories/acme/shop/pullrequests",
    DATA_CENTER: "/rest/api/latest/projects/acme/repos/shop/pull-requests",
}

APPSPEC = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - {location: a.sh, timeout: 60}\n"
HOSTS = tuple(Host(name=f"inside-{n}.example.com", folder="/h", tags={"app": "web"}) for n in range(3))
ENVIRONMENT = {"STAGE": "web", "PASSPHRASE": "correct-horse-battery"}


def text(more: str = "", rollout: str = "CodeDeployDefault.OneAtATime", application: str = "web") -> str:
    return (
        f"penstock: v1\napplication: {application}\nplatform: Server\n{more}"
        f"deployment_groups:\n  production:\n    rollout: {rollout}\n    targets: {{tags: {{app: web}}}}\n"
    )


class Check(NamedTuple):
    commit: str
    state: str
    text: str


class World:
    """A repository with a branch `topic`, whose pull request is number 7."""

    def __init__(self, folder: Path, forge: Forge, app: Path | None = None, to: Any = GITHUB) -> None:
        self.work, self.forge, self.to = new_repository(folder / "acme" / "shop"), forge, to
        self.said: Any = (forge.github if to == GITHUB else forge.bitbucket).conversations
        login: dict[str, Any] = {} if app else {"token": "env:FORGE_TOKEN"}
        config = RepositoryConfig(
            name="shop",
            url=str(self.work),
            github="acme/shop" if to == GITHUB else None,
            report=ReportConfig(to=to, pull_requests=True, **login),
        )
        github = ForgeConfig(api_url=forge.url)
        if app:
            github = ForgeConfig(api_url=forge.url, app_id="12", private_key=f"file:{app}")
        where = ForgeConfig(api_url=forge.url)
        forges = ForgesConfig(github=github, bitbucket=where, bitbucket_data_center=where)
        self.config = Config(repositories=(config,), forges=forges)
        self.store = Store(folder / "state", PIPELINE)
        self.sources = AllSources([config], folder / "state")
        self.previews = self.new()
        self.base = self.write({"penstock.yaml": text(), "appspec.yml": APPSPEC, "a.sh": "true\n"})

    def new(self) -> Previews:
        """As a process that begins has it."""
        service = Service(self.store, lambda: HOSTS, now)
        maker = Maker(service.forecast, self.store.state, ENVIRONMENT)
        repository = self.sources.repository
        forges = Forges(self.config, now)
        return Previews(self.config.repositories, repository, forges, self.store.previews, maker, now, apart=0.0)

    def write(self, files: dict[str, str], branch: str = "main") -> str:
        """Commit to *branch*, which begins at main."""
        if git(self.work, "branch", "--show-current") != branch:
            there = git(self.work, "branch", "--list", branch)
            git(self.work, "checkout", "--quiet", *([branch] if there else ["-b", branch]))
        for name, content in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(content)
        git(self.work, "add", "--all")
        made = commit(self.work)
        self.forge.github.add("acme/shop", made)
        return made

    def propose(self, files: dict[str, str], *, fork: str | None = None, base: str = "main") -> str:
        head = self.write(files, "topic")
        if fork:
            git(self.work, "clone", "--quiet", str(self.work), str(self.work.parent.parent / fork))
        self.said.open("acme/shop", 7, head, base=base, fork=fork)
        return head

    def comment(self) -> str:
        (only,) = self.said.of(7)
        return str(only)

    def text(self) -> str:
        """What people read of it."""
        return html.unescape(re.sub("</?code>|`", "", self.comment()))

    def checks(self) -> list["Check"]:
        """All that were told, the newest last; at Bitbucket the last one of each commit."""
        if self.to == GITHUB:
            return [Check(each["sha"], each["state"], each["description"]) for each in self.forge.github.statuses]
        states = {"SUCCESSFUL": "success", "FAILED": "failure"}
        return [
            Check(commit_id, states[build["state"]], build["description"])
            for (_, commit_id, _), build in self.forge.bitbucket.builds.items()
        ]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
