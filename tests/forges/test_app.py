"""A GitHub App: its tokens for reports and for git over https."""

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forge_cases import APP_ID, TOKEN, config, message, new_app, now
from forge_stub import Fault, Forge
from gitserver import HttpServer, Shop, http_server

from runner.config import ForgeConfig, RepositoryConfig
from runner.errors import Throttled, WorldError
from runner.forges import Forges
from runner.forges.app import App
from runner.forges.rest import Api
from runner.sources.git import GitRepository
from runner.sources.git.http import SmartHttp


@pytest.fixture
def key(forge: Forge, tmp_path: Path) -> Path:
    forge.tokens.clear()
    return new_app(forge, tmp_path, "acme/shop", "acme/blog")


def app(forge: Forge, key: Path, clock: dt.timedelta = dt.timedelta()) -> App:
    """*clock*: how wrong ours is."""
    own = ForgeConfig(api_url=forge.url, app_id=APP_ID, private_key=f"file:{key}")
    return App(own, Api(forge.url), lambda: now() + clock)


def test_reports_are_sent_as_the_app(forge: Forge, key: Path) -> None:
    forges = Forges(config(forge, app=key), now)
    forges.send(message())
    forges.send(message(kind="deployment"))
    assert len(forge.github.statuses) == len(forge.github.deployments) == 1
    assert len(forge.github.app_tokens) == 1  # kept for the second one
    (asked,) = forge.asked("POST", "/access_tokens")
    assert asked.body == {"repositories": ["shop"]}


def test_a_token_that_is_refused_before_its_time_is_replaced(forge: Forge, key: Path) -> None:
    forges = Forges(config(forge, app=key), now)
    forges.send(message())
    forge.github.app_tokens["ghs_0"] = "revoked"
    forges.send(message(state="Succeeded"))
    assert [each["state"] for each in forge.github.statuses] == ["pending", "success"]
    assert list(forge.github.app_tokens) == ["ghs_0", "ghs_1"]


def test_a_token_is_kept_until_shortly_before_its_end(forge: Forge, key: Path) -> None:
    at = now()
    ours = App(ForgeConfig(app_id=APP_ID, private_key=f"file:{key}"), Api(forge.url), lambda: at)
    assert ours.token("acme/shop") == ours.token("Acme/Shop") == "ghs_0"
    assert ours.token("acme/blog") == "ghs_1"  # one repository's token is no other's
    forge.github.token_life = dt.timedelta(minutes=4)
    ours = app(forge, key)
    assert ours.token("acme/shop") != ours.token("acme/shop")


def test_many_who_ask_at_once_get_one_token(forge: Forge, key: Path) -> None:
    ours, got = app(forge, key), list[str]()
    threads = [threading.Thread(target=lambda: got.append(ours.token("acme/shop").reveal())) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert got == ["ghs_0"] * 8
    assert ours.token("acme/shop", ours.token("acme/shop")) == "ghs_1"


def test_a_clock_that_is_wrong_by_an_hour_is_named(forge: Forge, key: Path) -> None:
    for wrong, how in ((1, "ahead of"), (-1, "behind")):
        with pytest.raises(WorldError, match=rf"status 401.*clock is 3[56]\d\d s {how} the forge's") as caught:
            app(forge, key, dt.timedelta(hours=wrong)).token("acme/shop")
        assert caught.value.retryable


def test_an_app_that_is_not_installed_there_says_so(forge: Forge, key: Path) -> None:
    with pytest.raises(WorldError, match="App 12 is not installed on acme/other") as caught:
        app(forge, key).token("acme/other")
    assert caught.value.retryable


def test_a_key_of_another_app_says_so(forge: Forge, key: Path, tmp_path: Path) -> None:
    ours = app(forge, key)
    (tmp_path / "other").mkdir()
    new_app(forge, tmp_path / "other", "acme/shop")
    with pytest.raises(WorldError, match=r"could not be decoded.*belong together"):
        ours.token("acme/shop")


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_file_that_is_no_key_says_so_and_never_shows_it(forge: Forge, key: Path, content: str) -> None:
    key.write_text(content)
    with pytest.raises(WorldError, match=r"app\.pem") as caught:
        app(forge, key).token("acme/shop")
    assert "AAAA" not in str(caught.value)
    assert not forge.exchanges


def test_a_limit_of_the_apps_own_requests_is_told(forge: Forge, key: Path) -> None:
    forge.answers.append(Fault(429, {"Retry-After": "9"}))
    with pytest.raises(Throttled) as caught:
        Forges(config(forge, app=key), now).send(message())
    assert caught.value.wait == dt.timedelta(seconds=9)


# Git over http, with a server that lets in who has the first token of the App.


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    with http_server(tmp_path / "acme", user=("x-access-token", "ghs_1")) as server:
        yield server


def on_server(forge: Forge, key: Path, server: HttpServer) -> tuple[RepositoryConfig, Forges]:
    whole = config(forge, app=key)
    repository = RepositoryConfig(name="shop", url=f"{server.url}/shop.git", github="acme/shop", github_app=True)
    return repository, Forges(whole, now)


def test_git_logs_in_with_the_apps_token_and_a_new_one_when_that_is_refused(
    forge: Forge, key: Path, server: HttpServer, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "acme")
    repository, forges = on_server(forge, key, server)
    ours = GitRepository(repository, tmp_path / "mirror.git", forges.password(repository))
    assert ours.heads() == shop.heads  # ghs_0 is refused, and ghs_1 is let in
    ours.fetch(shop.second)
    assert list(forge.github.app_tokens) == ["ghs_0", "ghs_1"]


async def test_quick_polls_log_in_with_the_apps_token(
    forge: Forge, key: Path, server: HttpServer, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "acme")
    repository, forges = on_server(forge, key, server)
    servers = SmartHttp(now, forges.password)
    refs = servers.of(repository)
    assert refs is not None
    try:
        for _ in range(3):
            answer = await refs.ask()
            assert answer is not None
            assert answer.heads() == {"refs/heads/main": shop.second}
    finally:
        servers.close()
    assert list(forge.github.app_tokens) == ["ghs_0", "ghs_1"]


def test_an_app_that_gets_no_token_is_the_repositorys_trouble(
    forge: Forge, key: Path, server: HttpServer, tmp_path: Path
) -> None:
    Shop(tmp_path / "acme")
    repository, forges = on_server(forge, key, server)
    forge.github.installed.clear()
    ours = GitRepository(repository, tmp_path / "mirror.git", forges.password(repository))
    with pytest.raises(WorldError, match="repository shop: the GitHub App 12 is not installed on acme/shop"):
        ours.heads()
    assert TOKEN not in str(forge.exchanges)


def test_without_github_app_git_has_no_token_of_it(forge: Forge, key: Path) -> None:
    assert (
        Forges(config(forge, app=key), now).password(RepositoryConfig(name="shop", url="https://github.com/a/b"))
        is None
    )
