"""A repository that is pushed to, `penstock serve` that is told of it by GitHub's webhooks, and what it has deployed."""

import contextlib
import http.client
import json
import sqlite3
from pathlib import Path
from typing import Protocol

from local_git import commit, git, new_repository
from serving import Server, serving
from shop import MANIFEST, appspec
from webhook_rig import SECRETS, of_github


class Site:
    """A repository that is pushed to, and a configuration with one local host."""

    def __init__(self, folder: Path, interval: str = "1h") -> None:
        self.folder, self.state, self.config = folder, folder / "state", folder / "penstock.toml"
        self.work, self.remote = folder / "work", new_repository(folder / "shop.git", bare=True)
        self.config.write_text(
            f'[repositories.shop]\nurl = "{self.remote}"\ninterval = "{interval}"\n'
            '[repositories.shop.webhook]\nfrom = "github"\nsecrets = ["env:SHOP_HOOK"]\n'
            f'[hosts.production-1]\nfolder = "{folder / "host"}"\ntags = {{stage = "production"}}\n'
        )
        (folder / "host").mkdir()
        new_repository(self.work)
        (self.work / "penstock.yaml").write_text(MANIFEST)
        (self.work / "appspec.yml").write_text(appspec("content"))
        (self.work / "content").mkdir()
        self.numbers = iter(range(1, 10_000))
        self.commit()
        self.push()

    def commit(self) -> str:
        (self.work / "content/version").write_text(f"{next(self.numbers)}")
        git(self.work, "add", "--all")
        return commit(self.work)

    def push(self, ref: str = "main") -> str:
        git(self.work, "push", "--quiet", "--force", str(self.remote), f"HEAD:refs/heads/{ref}")
        return git(self.work, "rev-parse", "HEAD")

    def query(self, sql: str) -> list[tuple[str, ...]]:
        database = sqlite3.connect(f"file:{self.state / 'penstock.db'}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def deployed(self) -> list[str]:
        """The commits of all deployments, in order, with repetitions."""
        rows = self.query("SELECT revision FROM deployments ORDER BY number")
        return [json.loads(row[0])["commit_id"] for row in rows]

    def serving(self) -> contextlib.AbstractContextManager[Server]:
        return serving(self.config, self.state, {"SHOP_HOOK": SECRETS["env:SHOP_HOOK"]})


def payload(commit_id: str, ref: str = "refs/heads/main") -> bytes:
    return json.dumps({"ref": ref, "after": commit_id, "repository": {"full_name": "acme/shop"}}).encode()


class Listens(Protocol):
    """Whoever serves at *url*."""

    @property
    def url(self) -> str: ...


def deliver(server: Listens, body: bytes, delivery: str, event: str = "push") -> int:
    """The status of the answer, 0 where there was none."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request("POST", "/webhooks/shop", body, of_github(body, event, delivery))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def settled(site: Site) -> bool:
    return site.query("SELECT count(*) FROM deliveries WHERE settled_at IS NULL") == [(0,)]
