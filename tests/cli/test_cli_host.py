"""`penstock host check`."""

import json
import os
from pathlib import Path

import pytest
from cli_cases import Penstock

from runner.cli import exits

HOST = '[hosts.web-1]\nfolder = "hosts/web-1"\ntags = {stage = "production"}\n'
APPSPEC = "version: 0.0\nos: linux\nfiles:\n  - {source: app, destination: /srv}\n"


@pytest.fixture
def bundle(penstock: Penstock) -> Path:
    """A folder that can be deployed, beside the configuration of one host."""
    (penstock.here / "penstock.toml").write_text(HOST)
    (penstock.here / "hosts/web-1").mkdir(parents=True)
    folder = penstock.here / "bundle"
    (folder / "app").mkdir(parents=True)
    (folder / "app/a").write_text("12345")
    (folder / "appspec.yml").write_text(APPSPEC)
    return folder


def test_a_folder_is_explained_and_nothing_is_done(penstock: Penstock, bundle: Path) -> None:
    said = penstock("host", "check", "web-1", "--bundle", str(bundle))
    assert said.status == exits.FINE
    root = penstock.here / "hosts/web-1"
    assert "on web-1, as a first deployment" in said.out
    assert f"makes 1 directory:\n  {root}/srv\n" in said.out
    assert f"copies 1 file, 5 B:\n  app/a -> {root}/srv/a\n" in said.out
    assert said.out.endswith("It would succeed, as far as can be told without running its scripts.\n")
    assert list(root.iterdir()) == []


def test_a_conflict_ends_with_status_1_and_says_what_would_fail(penstock: Penstock, bundle: Path) -> None:
    (penstock.here / "hosts/web-1/srv").mkdir()
    (penstock.here / "hosts/web-1/srv/a").write_text("mine")
    said = penstock("host", "check", "web-1", "--bundle", str(bundle))
    assert said.status == exits.DEPLOYMENT_FAILED
    assert "It would fail: 1 problem\n  Install: The deployment failed because a specified file already" in said.out
    said = penstock("host", "check", "web-1", "--bundle", str(bundle), "--file-exists-behavior", "OVERWRITE")
    assert said.status == exits.FINE
    assert "srv/a (replaces it)" in said.out


def test_json_has_everything_also_names_in_other_encodings(penstock: Penstock, bundle: Path) -> None:
    (bundle / "app" / os.fsdecode(b"gr\xfc\xdf")).write_text("")
    for number in range(30):
        (bundle / f"app/{number}").write_text("")
    said = penstock("--output", "json", "host", "check", "web-1", "--bundle", str(bundle))
    assert said.status == exits.FINE
    assert said.json["would_succeed"] is True
    assert said.json["host"] == "web-1"
    assert len(said.json["copies"]) == 32
    assert os.fsdecode(b"app/gr\xfc\xdf") in [copy["source"] for copy in said.json["copies"]]
    said = penstock("host", "check", "web-1", "--bundle", str(bundle))
    assert "... and 12 more; --verbose shows them" in said.out
    said = penstock("host", "check", "web-1", "--bundle", str(bundle), "--verbose")
    assert "app/gr\ufffd\ufffd -> " in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("web-9", "--bundle", "bundle"), "no host web-9 is configured (known: web-1)"),
        (("web-1",), "say what to check: --bundle PATH, or the APPLICATION/GROUP"),
        (("web-1", "--bundle", "gone.tgz"), "there is no bundle gone.tgz"),
        (("web-1", "--bundle", "penstock.toml"), "is no bundle by its name, which should end in .tar, .tgz"),
        (("web-1", "--bundle", "bundle", "--appspec", "x.yml"), "bundle holds no x.yml"),
        (("web-1", "shop/staging", "--bundle", "bundle"), "nothing was deployed to shop/staging yet (known: none)"),
    ],
)
def test_what_is_asked_wrongly_is_the_users_mistake(
    penstock: Penstock, bundle: Path, arguments: tuple[str, ...], message: str
) -> None:
    said = penstock("host", "check", *arguments)
    assert said.status == exits.USERS_MISTAKE
    assert message in said.err


def test_mistakes_of_the_appspec_come_with_their_lines(penstock: Penstock, bundle: Path) -> None:
    (bundle / "appspec.yml").write_text(APPSPEC + "hooks:\n  AfterInstall:\n    - timeout: x\n")
    said = penstock("host", "check", "web-1", "--bundle", str(bundle))
    assert said.status == exits.USERS_MISTAKE
    assert "appspec.yml:7 hooks.AfterInstall[0]" in said.err


def test_what_a_group_has_and_another_commit_of_it_can_be_checked(penstock: Penstock) -> None:
    penstock.checkout()
    assert penstock("deploy").status == exits.FINE
    said = penstock("host", "check", "local", "--output", "json")
    assert said.status == exits.FINE
    assert said.json["group"] == "shop/staging"
    assert said.json["removed"]
    script = penstock.here / "scripts/validate.sh"
    script.write_text("#!/no/such/shell\n")
    commit = penstock.commit()
    said = penstock("host", "check", "local", "shop/staging", "--revision", commit)
    assert said.status == exits.DEPLOYMENT_FAILED
    assert "ValidateService: scripts/validate.sh: its interpreter /no/such/shell is not on this host" in said.out
    assert json.loads(penstock("--output", "json", "list").out)[0]["status"] == "Succeeded"
