"""Secrets that are missing or short, and webhooks that nobody has used: who is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import structlog
from waiting import until
from webhook_rig import now, repository

from runner.api.webhooks import hooks as hooks_module
from runner.api.webhooks.hooks import Hooks
from runner.errors import WorldError
from runner.model.delivery import Delivery, WebhookState
from runner.store.store import Store

GOOD = "a secret of some length"


@contextlib.asynccontextmanager
async def running(hooks: Hooks) -> AsyncIterator[None]:
    task = asyncio.create_task(hooks.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "EVERY", 0.01)


async def test_a_short_secret_is_told_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTEEN", "x" * 15)
    monkeypatch.setenv("SIXTEEN", "x" * 16)
    told: list[Mapping[str, str]] = []
    with structlog.testing.capture_logs() as logs:
        hooks = Hooks(
            [repository("short", "github", "env:FIFTEEN"), repository("long", "github", "env:SIXTEEN")],
            tell=told.append,
        )
        async with running(hooks):
            await until(lambda: bool(told))
    (problems,) = told
    assert problems["long"] == ""
    assert "env:FIFTEEN has fewer than 16 characters" in problems["short"]
    assert "openssl rand -hex 32" in problems["short"]
    assert [(each["event"], each["log_level"], each["repository"]) for each in logs] == [
        ("secret of a webhook is too short", "warning", "short")
    ]
    assert "xxxxx" not in str(told) + str(logs)
    assert hooks.of("short").known


async def test_a_missing_secret_is_told_until_it_is_there(store: Store, tmp_path: Path, often: None) -> None:
    file = tmp_path / "hook"
    hooks = Hooks([repository("shop", "github", f"file:{file}")], tell=store.deliveries.configured)
    async with running(hooks):
        await until(lambda: bool(store.state().webhooks))
        (state,) = store.state().webhooks
        assert (state.repository, state.last_delivery_at) == ("shop", None)
        assert f"the secret file:{file} cannot be read" in state.problem
        file.write_text(GOOD)
        await until(lambda: store.state().webhooks == (WebhookState(repository="shop"),))
        file.unlink()
        await until(lambda: bool(store.state().webhooks[0].problem))


async def test_what_could_not_be_recorded_is_recorded_later(often: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOD", GOOD)
    told: list[Mapping[str, str]] = []

    def tell(problems: Mapping[str, str]) -> None:
        told.append(problems)
        if len(told) < 3:
            raise WorldError("no space left on the disk")

    async with running(Hooks([repository("shop", "github", "env:GOOD")], tell=tell)):
        await until(lambda: len(told) == 3)
        await asyncio.sleep(0.1)  # ten more readings, of which there is nothing to tell
    assert told == [{"shop": ""}] * 3


def test_the_store_forgets_webhooks_that_are_not_configured_any_more(store: Store) -> None:
    store.deliveries.configured({"shop": "", "web": "missing"})
    delivery = Delivery(id="1", repository="shop", event="push", body="b" * 64, received_at=now())
    store.deliveries.take([delivery])
    expected = WebhookState(repository="shop", last_delivery_at=delivery.received_at)
    assert store.state().webhooks == (expected, WebhookState(repository="web", problem="missing"))
    store.deliveries.configured({"shop": "", "api": ""})
    assert store.state().webhooks == (WebhookState(repository="api"), expected)
    store.deliveries.configured({})
    assert store.state().webhooks == ()
