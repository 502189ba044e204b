"""A real `penstock serve` that reports what it deploys: it dies in the middle, and its token is revoked."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_cases import wait_until
from forge_cases import TOKEN
from forge_stub import Forge
from local_git import commit, git, new_repository
from serving import Server
from shop import MANIFEST, appspec


class Site:
    """A repository that stands for acme/shop, a configuration with one local host, and the file with the token."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        work, config = folder / "work", folder / "penstock.toml"
        self.token = folder / "token"
        new_repository(work)
        (work / "penstock.yaml").write_text(MANIFEST)
        (work / "appspec.yml").write_text(appspec("penstock.yaml"))
        git(work, "add", "--all")
        self.commit = commit(work)
        forge.github.add("acme/shop", self.commit)
        (folder / "host").mkdir()
        config.write_text(
            f'[forges.github]\napi_url = "{forge.url}"\n'
            f'[repositories.shop]\nurl = "{work}"\ngithub = "acme/shop"\ninterval = "1h"\n'
            '[repositories.shop.report]\nto = "github"\ntoken = "file:token"\n'
            f'[hosts.production-1]\nfolder = "{folder / "host"}"\ntags = {{stage = "production"}}\n'
        )
        self.options = ("--config", str(config), "--state", str(folder / "state"))
        self.server = Server(config, folder / "state", {})

    def status(self) -> str:
        """As a person sees it."""
        command = [sys.executable, "-m", "runner", *self.options, "status"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    def deployed(self) -> bool:
        return [each["status"] for each in self.server.penstock("list")] == ["Succeeded"]


@pytest.fixture
def site(forge: Forge, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, forge)
    yield site
    site.server.kill()


@pytest.mark.parametrize("end", ["/deployments", "/statuses"])
def test_a_process_that_dies_after_github_was_told_tells_it_no_second_deployment(
    site: Site, forge: Forge, end: str
) -> None:
    site.token.write_text(TOKEN)
    died = []

    def die(method: str, path: str) -> None:
        if method == "POST" and path.startswith("/repos/acme/shop/deployments") and path.endswith(end) and not died:
            died.append(site.server.pid)
            os.kill(site.server.pid, signal.SIGKILL)

    forge.after_storing = die
    site.server.start()
    wait_until(lambda: died, "the kill")
    site.server.kill()  # it is dead; this waits for it
    assert len(forge.github.deployments) == 1
    site.server.start()
    wait_until(lambda: _last(forge) == "success", "the report of the end")
    assert len(forge.github.deployments) == 1
    (deployment,) = forge.github.deployments
    assert (deployment["sha"], deployment["environment"]) == (site.commit, "production")
    assert forge.github.statuses[-1]["state"] == "success"
    assert forge.github.statuses[-1]["context"] == "penstock/shop/production"
    states = [each["state"] for each in forge.github.deployment_statuses]
    assert states[-2:] == ["in_progress", "success"]
    assert len(states) == (2 if end == "/deployments" else 3)  # a status may be told twice: it says the same


def test_a_revoked_token_holds_up_no_deployment_and_reports_come_once_it_is_replaced(site: Site, forge: Forge) -> None:
    site.token.write_text("revoked")
    site.server.start()
    wait_until(site.deployed, "the deployment")
    wait_until(lambda: forge.exchanges, "the first report")

    def told() -> str:
        (state,) = site.server.penstock("status")["undelivered_to"]
        assert (state["to"], state.get("given_up", 0)) == ("github:shop", 0)
        return str(state.get("last_error"))

    wait_until(lambda: "expired or revoked" in told(), "the error")
    assert site.server.penstock("status")["undelivered"] == 4
    assert "  github:shop: 4 wait: a status of acme/shop@" in site.status()
    assert not forge.github.statuses
    site.token.write_text(TOKEN)
    wait_until(lambda: _last(forge) == "success", "the reports")
    assert [each["state"] for each in forge.github.statuses] == ["pending", "success"]
    wait_until(lambda: site.server.penstock("status")["undelivered"] == 0, "the end")


def _last(forge: Forge) -> str | None:
    return forge.github.deployment_statuses[-1]["state"] if forge.github.deployment_statuses else None
