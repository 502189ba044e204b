"""Webhook deliveries as their senders make them, a listener that takes them, and what was looked at."""

import asyncio
import datetime as dt
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from listening import Client, client, listening

from runner.api.site import Mounts
from runner.api.webhooks.endpoint import Webhooks
from runner.api.webhooks.follow import Follow
from runner.api.webhooks.hooks import Hooks
from runner.api.webhooks.intake import Intake
from runner.config import RepositoryConfig, WebhookConfig
from runner.errors import UserError
from runner.log import Secret
from runner.model.delivery import Sender
from runner.ports import Clock
from runner.ports.deliveries import Deliveries

SECRETS = {"env:SHOP_HOOK": "It's a Secret to Everybody", "env:SHOP_HOOK_NEW": "another"}
PUSH = json.dumps({"ref": "refs/heads/main", "after": "0" * 40}).encode()


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def read_secret(reference: str) -> Secret:
    if reference not in SECRETS:
        raise UserError(f"the secret {reference} is missing")
    return Secret(SECRETS[reference])


def repository(name: str, sender: Sender, *secrets: str) -> RepositoryConfig:
    return RepositoryConfig(
        name=name, url="/nowhere", webhook=WebhookConfig(sender=sender, secrets=secrets or ("env:SHOP_HOOK",))
    )


REPOSITORIES = (
    repository("shop", "github"),
    repository("rotated", "github", "env:SHOP_HOOK", "env:SHOP_HOOK_NEW"),
    repository("forgotten", "github", "env:NOBODY_KNOWS"),
    repository("cloud", "bitbucket"),
    repository("centre", "bitbucket-data-center"),
    repository("own", "generic"),
    RepositoryConfig(name="quiet", url="/nowhere"),
)


def sign(body: bytes, secret: str = SECRETS["env:SHOP_HOOK"]) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def of_github(body: bytes, event: str = "push", delivery: str = "d-1", **more: str) -> dict[str, str]:
    """Headers, as GitHub sends them; *more* replace theirs, with `_` for `-`."""
    headers = {
        "user-agent": "GitHub-Hookshot/044aadd",
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": sign(body),
    }
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


def of_bitbucket(body: bytes, event: str, delivery: str, *, cloud: bool) -> dict[str, str]:
    return {
        "content-type": "application/json; charset=utf-8",
        "x-event-key": event,
        "x-request-uuid" if cloud else "x-request-id": delivery,
        "x-hub-signature": sign(body),
    }


def generic(body: bytes, delivery: str, at: float | None = None) -> dict[str, str]:
    timestamp = str(round(time.time() if at is None else at))
    signed = f"{timestamp}.{delivery}.".encode() + body
    return {"x-delivery-id": delivery, "x-timestamp": timestamp, "x-signature-256": sign(signed)}


class FakeLooks:
    """A fake of the port `Looks`: notes who was looked at. *fail*: raised instead, once each. *held*: looks do not end."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.fail: list[Exception] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def look_now(self, name: str) -> None:
        self.began.append(name)
        await self.may_end.wait()
        if self.fail:
            raise self.fail.pop(0)


class Door:
    """A listener for webhooks. *pieces*: bodies are sent after their heads have been read, and go the general way."""

    def __init__(self, connection: Client, hooks: Hooks, looks: FakeLooks) -> None:
        self.connection, self.hooks, self.looks = connection, hooks, looks
        self.pieces = False

    async def post(self, name: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        head = f"POST /webhooks/{name} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
        if self.pieces:
            await self.connection.send(head.encode("latin-1"))
            for _ in range(5):
                await asyncio.sleep(0)
            await self.connection.send(body)
        else:
            await self.connection.send(head.encode("latin-1") + body)
        status, _, told = await self.connection.answer()
        return status, json.loads(told)


@asynccontextmanager
async def door(store: Deliveries, clock: Clock = now, *, late: float = 3600.0) -> AsyncIterator[Door]:
    looks, follow = FakeLooks(), Follow(store, clock, apart=0.0, late=late, random=lambda: 0.0)
    hooks, intake = Hooks(REPOSITORIES, read_secret), Intake(store, follow.came, clock)
    running = [asyncio.create_task(each) for each in (intake.run(), follow.run(looks))]
    try:
        async with listening(Mounts(webhooks=Webhooks(hooks, intake, clock))) as address, client(address) as made:
            yield Door(made, hooks, looks)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
