"""What is sent to GitHub goes through Prism, a proxy that lets only such requests and answers pass as GitHub describes."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import github_description
import msgspec
import pytest
from acceptance_cases import wait_until
from forge_cases import COMMIT, OTHER, TOKEN, config, message, new_app, now
from forge_stub import Forge

from runner.config import Config
from runner.forges import Forges
from runner.model.pull_request import Preview

pytestmark = pytest.mark.sweep  # npm brings it, and it takes some ten seconds to start

PRISM = "@stoplight/prism-cli@5.14.2"
OWN = "/repos/{owner}/{repo}"
PATHS = (
    "/user",
    "/app/installations/{installation_id}/access_tokens",
    *(
        f"{OWN}/{rest}"
        for rest in (
            "installation",
            "statuses/{sha}",
            "deployments",
            "deployments/{deployment_id}/statuses",
            "pulls",
            "issues/{issue_number}/comments",
            "issues/comments/{comment_id}",
            "commits/{ref}/check-runs",
            "check-runs",
        )
    ),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Prism, and the part of the description that is used."""
    folder = tmp_path_factory.mktemp("prism")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PRISM]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"npm cannot install Prism: {done.stderr[-300:]}"
    whole = github_description.fetch(folder)
    (folder / "github.json").write_text(json.dumps(github_description.cut(whole, PATHS)))
    return folder


@pytest.fixture
def through(installed: Path, forge: Forge, tmp_path: Path) -> Iterator[Forge]:
    """*forge*, at the address of the proxy in front of it."""
    prism = installed / "node_modules/@stoplight/prism-cli/dist/index.js"
    command = ["node", str(prism), "proxy", str(installed / "github.json"), forge.url, "--errors", "--port", "0"]
    log = tmp_path / "prism.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=installed, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_until(lambda: process.poll() is not None or _address(log), "Prism's listener", log=log)
        forge.url, direct = _address(log), forge.url
        assert forge.url and forge.url != direct
        yield forge
    finally:
        process.kill()
        process.wait()


def _address(log: Path) -> str:
    found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", log.read_text())
    return found[1] if found else ""


def test_reports_pass(through: Forge, tmp_path: Path) -> None:
    with_token = Forges(config(through), now)
    for state in ("Running", "Waiting", "Succeeded", "Failed", "Stopped"):
        with_token.send(message(state=state))
        with_token.send(message(kind="deployment", state=state))
    Forges(config(through, app=new_app(through, tmp_path, "acme/shop")), now).send(message())
    assert len(through.github.statuses) == 6
    assert len(through.github.deployment_statuses) == 5


@pytest.mark.parametrize("as_app", [False, True])
def test_previews_pass(through: Forge, tmp_path: Path, as_app: bool) -> None:
    preview = Preview(state="Nothing", text="merging deploys nothing", head=COMMIT, base=OTHER, base_branch="main")
    through.github.conversations.open("acme/shop", 7, COMMIT)
    app = new_app(through, tmp_path, "acme/shop") if as_app else None
    settings: Config = config(through, app=app, pull_requests=True)
    (own,) = Forges(settings, now).open("shop")
    for text in ("merging deploys nothing", "merging deploys nothing at all"):
        Forges(settings, now).tell(own, msgspec.structs.replace(preview, text=text))
    assert len(through.github.conversations.of(7)) == 1
    assert through.asked("PATCH", "/comments/1")


@pytest.mark.parametrize("body", [{"state": "begun"}, {"context": "penstock"}])
def test_it_lets_nothing_else_pass(through: Forge, body: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    place = f"{through.url}/repos/acme/shop/statuses/{COMMIT}"
    with pytest.raises(urllib.error.HTTPError, match="422"):
        urllib.request.urlopen(urllib.request.Request(place, json.dumps(body).encode(), headers), timeout=60)
    assert through.exchanges == []
