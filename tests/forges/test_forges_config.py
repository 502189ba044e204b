"""What `report`, `github_app` and `[forges]` of penstock.toml may say."""

from pathlib import Path

import pytest

from runner.config import ForgeConfig, ReportConfig, load
from runner.config.forges import beside, owner_and_name
from runner.errors import InvalidFiles, UserError

APP = '[forges.github]\napp_id = 12\nprivate_key = "file:app.pem"\n'
SHOP = '[repositories.shop]\nurl = "https://github.com/acme/shop.git"\n'
REPORT = '[repositories.shop.report]\nto = "github"\n'
TOKEN = 'token = "env:TOKEN"\n'


def mistakes(folder: Path, text: str) -> str:
    (folder / "penstock.toml").write_text(text)
    try:
        load(folder / "penstock.toml", {})
    except InvalidFiles as error:
        return str(error)
    return ""


def test_everything_is_read(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(
        f'dashboard_url = "https://deploys.example.com"\n{APP}api_url = "https://github.example.com/api/v3/"\n'
        '[repositories.shop]\nurl = "https://github.example.com/acme/shop"\ngithub_app = true\n'
        f'{REPORT}environment = "application/group"\n'
    )
    config = load(tmp_path / "penstock.toml", {})
    key = f"file:{tmp_path / 'app.pem'}"
    assert config.forges.github == ForgeConfig(
        api_url="https://github.example.com/api/v3", app_id="12", private_key=key
    )
    (shop,) = config.repositories
    assert shop.github_app
    assert shop.report == ReportConfig(to="github", environment="application/group")
    assert config.dashboard_url == "https://deploys.example.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOP + REPORT, "has a report without a token; give one, or github_app = true"),
        (SHOP + 'github_app = true\n', "names no app_id and private_key"),
        (APP + SHOP + 'github_app = true\npassword = "env:P"\n', "both a password and github_app"),
        (APP + SHOP.replace("https://", "http://") + "github_app = true\n", "must be https://github.com/OWNER/NAME"),
        (APP + SHOP.replace("github.com", "evil.example") + "github_app = true\n", "where the App's tokens are good"),
        (APP + SHOP.replace("//", "//ada@") + "github_app = true\n", "a user name in its url"),
        (SHOP.replace("github.com", "git.example.com") + REPORT + TOKEN, "is not on github.com, but reported there"),
        (SHOP + REPORT.replace("github", "bitbucket-data-center") + TOKEN, "[forges.bitbucket-data-center] api_url"),
        (SHOP.replace("acme/", "") + 'github = "a/b"\n' + REPORT.replace("github", "x") + TOKEN, "report.to"),
        (SHOP.replace("acme/", "") + REPORT.replace("github", "bitbucket") + TOKEN, "does not end with OWNER/NAME"),
        (SHOP + REPORT + 'token = "ghp_secret"\n', "expected a reference to a secret"),
        (SHOP.replace("github.com", "[") + REPORT + TOKEN, "does not end with OWNER/NAME"),
        ('[forges.github]\napp_id = 12\n', "private_key"),
        ('[forges.github]\napi_url = "https://a:b@example.com"\n', "without a name and a password"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_before_anything_happens(tmp_path: Path, text: str, said: str) -> None:
    told = mistakes(tmp_path, text)
    assert said in told
    assert "ghp_secret" not in told


def test_what_can_work_is_taken(tmp_path: Path) -> None:
    for text in (
        SHOP + REPORT + TOKEN,
        SHOP + REPORT + TOKEN + "pull_requests = true\n",
        SHOP + REPORT.replace("github", "bitbucket") + TOKEN + "pull_requests = true\n",
        APP + SHOP + "github_app = true\n" + REPORT,
        SHOP.replace("https://github.com/", "git@github.com:") + REPORT + TOKEN,
        '[repositories.shop]\nurl = "/srv/shop"\ngithub = "acme/shop"\n' + REPORT + TOKEN,
    ):
        assert not mistakes(tmp_path, text)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/shop.git", "acme/shop"),
        ("git@bitbucket.org:acme/shop.git", "acme/shop"),
        ("https://bitbucket.example.com/context/scm/PRJ/shop.git", "PRJ/shop"),
        ("ssh://git@bitbucket.example.com:7999/~ada/shop.git/", "~ada/shop"),
        ("https://github.com/shop", None),
    ],
)
def test_the_name_at_the_forge_is_the_end_of_the_address(url: str, name: str | None) -> None:
    assert owner_and_name(url) == name
    assert owner_and_name(url, "given/name") == "given/name"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://x-token-auth@bitbucket.org/acme/shop.git", "https://x-token-auth@bitbucket.org/ada/fork.git"),
        ("git@bitbucket.org:acme/shop.git", "git@bitbucket.org:ada/fork.git"),
        ("ssh://git@bitbucket.org/acme/shop/", "ssh://git@bitbucket.org/ada/fork/"),
        ("/srv/acme/shop", "/srv/ada/fork"),
    ],
)
def test_a_fork_is_beside_its_repository(url: str, there: str) -> None:
    assert beside(url, "ada/fork") == there


@pytest.mark.parametrize(
    "name",
    ["ada/..", "../fork", "ada", "a/b/c", "/ada/fork", "ada/fork?x", "ada/fork\n", "evil.example:80/x", "@evil/x"],
)
def test_a_fork_is_nowhere_else(name: str) -> None:
    with pytest.raises(UserError, match="there can be no repository"):
        beside("https://bitbucket.org/acme/shop.git", name)


def test_an_address_without_an_owner_has_nothing_beside_it() -> None:
    with pytest.raises(UserError, match="there can be no repository"):
        beside("https://bitbucket.org/shop.git", "evil.example/shop")
