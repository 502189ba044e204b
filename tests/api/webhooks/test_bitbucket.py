"""Whole payloads of Bitbucket, with all headers that it sends."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from bitbucket_payloads import cloud_pull_request, cloud_push, data_center_pull_request, data_center_push
from webhook_rig import SECRETS, door, sign

from runner.store.store import Store

Rows = Callable[..., list[tuple[Any, ...]]]


def of_cloud(body: bytes, event: str, attempt: int = 1) -> dict[str, str]:
    return {
        "user-agent": "Bitbucket-Webhooks/2.0",
        "content-type": "application/json",
        "x-event-key": event,
        "x-hook-uuid": "{d15ae1a7-1a2b-4d5c-9d0e-0a1b2c3d4e5f}",
        "x-request-uuid": "d3c4c6e0-7b3e-4a7c-8d55-0f4c5b6a7d8e",
        "x-attempt-number": str(attempt),
        "x-hub-signature": sign(body),
    }


def of_data_center(body: bytes, event: str) -> dict[str, str]:
    return {
        "user-agent": "Atlassian HttpClient 4.0.0 / Bitbucket-9.4.0 (9004000) / Default",
        "content-type": "application/json; charset=utf-8",
        "x-event-key": event,
        "x-request-id": "e9c6a3f0-0b1c-4f0e-8a57-5a5e7a3b7c10",
        "x-hub-signature": sign(body),
    }


@pytest.mark.parametrize(
    ("event", "payload", "refs"),
    [
        (
            "repo:push",
            cloud_push(),
            ["refs/heads/main", "refs/heads/feature/cart", "refs/tags/v1.2", "refs/heads/done", "refs/tags/wrong"],
        ),
        ("pullrequest:created", cloud_pull_request(), []),
        ("pullrequest:updated", cloud_pull_request(), []),
        ("pullrequest:fulfilled", cloud_pull_request(), []),
    ],
)
async def test_what_cloud_sends_is_taken_and_looked_after(
    store: Store, rows: Rows, event: str, payload: dict[str, Any], refs: list[str]
) -> None:
    body = json.dumps(payload).encode()
    async with door(store.deliveries) as at:
        status, told = await at.post("cloud", body, of_cloud(body, event))
        assert (status, told["status"]) == (202, "stored")
        assert (await at.post("cloud", body, of_cloud(body, event, attempt=2)))[1]["status"] == "known"
    ((repository, taken, named),) = rows("repository, event, refs")
    assert (repository, taken, json.loads(named)) == ("cloud", event, refs)


@pytest.mark.parametrize(
    ("event", "payload", "refs"),
    [
        (
            "repo:refs_changed",
            data_center_push(),
            ["refs/heads/main", "refs/heads/feature/cart", "refs/tags/v1.2", "refs/heads/done"],
        ),
        ("pr:opened", data_center_pull_request(), []),
        ("pr:from_ref_updated", data_center_pull_request(), []),
        ("pr:merged", data_center_pull_request(), []),
    ],
)
async def test_what_data_center_sends_is_taken_and_looked_after(
    store: Store, rows: Rows, event: str, payload: dict[str, Any], refs: list[str]
) -> None:
    body = json.dumps(payload).encode()
    async with door(store.deliveries) as at:
        status, told = await at.post("centre", body, of_data_center(body, event))
        assert (status, told["status"]) == (202, "stored")
    ((repository, taken, named),) = rows("repository, event, refs")
    assert (repository, taken, json.loads(named)) == ("centre", event, refs)


async def test_a_connection_test_of_data_center_is_not_signed_and_the_log_says_so(
    store: Store, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    body = b'{"test": true}'
    headers = of_data_center(body, "diagnostics:ping")
    del headers["x-hub-signature"]  # also where the webhook has a secret
    async with door(store.deliveries) as at:
        assert (await at.post("centre", body, headers))[0] == 403
    assert rows() == []
    assert "Bitbucket does not sign" in "".join(capsys.readouterr())


async def test_no_payload_is_taken_with_another_secret(store: Store, rows: Rows) -> None:
    for name, payload, headers_of in (
        ("cloud", cloud_push(), of_cloud),
        ("centre", data_center_push(), of_data_center),
    ):
        body = json.dumps(payload).encode()
        headers = {**headers_of(body, "repo:push"), "x-hub-signature": sign(body, SECRETS["env:SHOP_HOOK"] + "?")}
        async with door(store.deliveries) as at:
            assert (await at.post(name, body, headers))[0] == 403
    assert rows() == []
