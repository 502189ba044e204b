"""From a signed request to a row, an answer and a look."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from waiting import until
from webhook_rig import PUSH, FakeLooks, door, generic, now, of_bitbucket, of_github, sign

from runner.api.webhooks.follow import Follow
from runner.api.webhooks.intake import Intake
from runner.errors import UserError, WorldError
from runner.model.delivery import Delivery
from runner.store.store import Store

Rows = Callable[..., list[tuple[Any, ...]]]


async def test_a_push_is_stored_acknowledged_and_looked_after(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        assert await at.post("shop", PUSH, of_github(PUSH)) == (202, {"delivery": "d-1", "status": "stored"})
        await until(lambda: rows("message", "settled_at IS NOT NULL") == [("",)])
        assert at.looks.began == ["shop"]
    assert rows("repository, delivery, event, refs") == [("shop", "d-1", "push", '["refs/heads/main"]')]


async def test_one_look_more_comes_a_little_later_and_may_fail(store: Store, rows: Rows) -> None:
    async with door(store.deliveries, late=0.3) as at:
        await at.post("shop", PUSH, of_github(PUSH))
        await until(lambda: bool(rows(where="settled_at IS NOT NULL")))
        assert at.looks.began == ["shop"]
        at.looks.fail.append(WorldError("it is away"))
        await until(lambda: at.looks.began == ["shop", "shop"] and not at.looks.fail)
        await at.post("shop", PUSH, of_github(PUSH, delivery="d-2"))
        await until(lambda: len(rows(where="settled_at IS NOT NULL")) == 2)


async def test_a_redelivery_is_welcome_and_changes_nothing(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        await at.post("shop", PUSH, of_github(PUSH))
        await until(lambda: bool(rows(where="settled_at IS NOT NULL")))
        assert await at.post("shop", PUSH, of_github(PUSH)) == (202, {"delivery": "d-1", "status": "known"})
        assert at.looks.began == ["shop"]
    assert rows() == [("d-1",)]


async def test_the_same_id_with_another_body_is_refused(store: Store, rows: Rows) -> None:
    other = PUSH.replace(b"main", b"next")
    async with door(store.deliveries) as at:
        await at.post("shop", PUSH, of_github(PUSH))
        status, told = await at.post("shop", other, of_github(other))
    assert (status, told["message"]) == (409, "delivery d-1 was here before, with another body")
    assert rows("refs") == [('["refs/heads/main"]',)]


async def test_repositories_do_not_share_their_ids(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        for name in ("shop", "rotated"):
            assert (await at.post(name, PUSH, of_github(PUSH)))[1]["status"] == "stored"
    assert len(rows()) == 2


async def test_a_form_is_signed_as_it_came(store: Store, rows: Rows) -> None:
    body = urlencode({"payload": PUSH.decode()}).encode()
    headers = of_github(body, content_type="application/x-www-form-urlencoded")
    async with door(store.deliveries) as at:
        assert (await at.post("shop", body, headers))[0] == 202
    assert rows("refs") == [('["refs/heads/main"]',)]


async def test_a_ping_is_remembered_and_nobody_looks(store: Store, rows: Rows) -> None:
    body = b'{"zen": "Design for failure.", "hook_id": 1}'
    async with door(store.deliveries) as at:
        assert (await at.post("shop", body, of_github(body, "ping")))[1]["status"] == "recorded"
        assert (await at.post("shop", body, of_github(body, "star", "d-2")))[1]["status"] == "recorded"
        assert at.looks.began == []
    assert rows("event, message", "settled_at IS NOT NULL") == [
        ("ping", "nothing to look for"),
        ("star", "nothing to look for"),
    ]
    assert not store.deliveries.heard()


@pytest.mark.parametrize("secret", ["It's a Secret to Everybody", "another"])
async def test_while_a_secret_is_replaced_either_one_is_good(store: Store, secret: str) -> None:
    async with door(store.deliveries) as at:
        headers = of_github(PUSH, x_hub_signature_256=sign(PUSH, secret))
        assert (await at.post("rotated", PUSH, headers))[0] == 202


async def test_a_secret_that_was_replaced_is_good_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(store.deliveries) as at:
        monkeypatch.setitem(__import__("webhook_rig").SECRETS, "env:SHOP_HOOK", "fresh")
        at.hooks.refresh()
        assert (await at.post("shop", PUSH, of_github(PUSH, x_hub_signature_256=sign(PUSH, "fresh"))))[0] == 202
        stale = of_github(PUSH, delivery="d-2", x_hub_signature_256=sign(PUSH, "It's a Secret to Everybody"))
        assert (await at.post("shop", PUSH, stale))[0] == 403


CLOUD = {
    "push": {
        "changes": [
            {"old": None, "new": {"type": "branch", "name": "main", "target": {"hash": "1" * 40}}, "created": True},
            {"old": {"type": "tag", "name": "v1"}, "new": None, "closed": True, "forced": False, "truncated": False},
        ]
    },
    "repository": {"full_name": "acme/shop"},
}
CENTRE = {
    "eventKey": "repo:refs_changed",
    "changes": [
        {
            "ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"},
            "refId": "refs/heads/main",
            "fromHash": "0" * 40,
            "toHash": "1" * 40,
            "type": "ADD",
        }
    ],
}


@pytest.mark.parametrize(
    ("name", "event", "payload", "refs", "status"),
    [
        ("cloud", "repo:push", CLOUD, ["refs/heads/main", "refs/tags/v1"], "stored"),
        ("cloud", "pullrequest:fulfilled", {"pullrequest": {"id": 1}}, [], "stored"),
        ("cloud", "issue:created", {}, [], "recorded"),
        ("centre", "repo:refs_changed", CENTRE, ["refs/heads/main"], "stored"),
        ("centre", "pr:merged", {"pullRequest": {}}, [], "stored"),
        ("centre", "diagnostics:ping", {"test": True}, [], "recorded"),
    ],
)
async def test_bitbucket_is_understood(
    store: Store, rows: Rows, name: str, event: str, payload: dict[str, Any], refs: list[str], status: str
) -> None:
    body = json.dumps(payload).encode()
    async with door(store.deliveries) as at:
        answered = await at.post(name, body, of_bitbucket(body, event, "{a-1}", cloud=name == "cloud"))
    assert answered == (202, {"delivery": "{a-1}", "status": status})
    assert [json.loads(row[0]) for row in rows("refs")] == [refs]


async def test_a_hook_of_your_own_needs_no_body(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        assert (await at.post("own", b"", generic(b"", "run-1")))[1]["status"] == "stored"
        assert (await at.post("own", PUSH, generic(PUSH, "run-2")))[1]["status"] == "stored"
    assert [json.loads(row[0]) for row in rows("refs")] == [[], ["refs/heads/main"]]


@pytest.mark.parametrize(("hours", "way"), [(-1, "behind"), (1, "ahead of")])
async def test_a_clock_that_is_off_by_an_hour_is_told(store: Store, rows: Rows, hours: int, way: str) -> None:
    at_sender = now().timestamp() + 3600 * hours
    async with door(store.deliveries, clock=lambda: now().replace(microsecond=0)) as at:
        status, told = await at.post("own", b"", generic(b"", "run-1", at_sender))
    assert status == 400
    assert f" s {way} the clock here, and 300 s are allowed" in told["message"]
    assert abs(int(told["message"].split()[3]) - 3600) < 60
    assert rows() == []


async def test_many_at_once_share_looks_and_all_are_settled(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        at.looks.may_end.clear()
        for number in range(50):
            await at.post("shop", PUSH, of_github(PUSH, delivery=f"d-{number}"))
        assert len(rows(where="settled_at IS NULL")) == 50
        at.looks.may_end.set()
        await until(lambda: not rows(where="settled_at IS NULL"))
        assert len(at.looks.began) <= 3


async def test_what_came_during_a_look_is_not_settled_by_it(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        at.looks.may_end.clear()
        await at.post("shop", PUSH, of_github(PUSH, delivery="before"))
        await until(lambda: at.looks.began == ["shop"])
        await at.post("shop", PUSH, of_github(PUSH, delivery="during"))
        at.looks.may_end.set()
        await until(lambda: not rows(where="settled_at IS NULL"))
        assert at.looks.began == ["shop", "shop"]


async def test_a_look_that_fails_leaves_the_delivery_open_until_one_succeeds(
    store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.api.webhooks.follow.FIRST_RETRY", __import__("datetime").timedelta(milliseconds=1))
    async with door(store.deliveries) as at:
        at.looks.fail = [WorldError("answered 500")] * 3
        await at.post("shop", PUSH, of_github(PUSH))
        await until(lambda: bool(rows(where="settled_at IS NOT NULL")))
        assert at.looks.began == ["shop"] * 4


async def test_what_an_earlier_process_left_open_is_looked_after(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        at.looks.fail = [WorldError("gone")] * 99
        await at.post("shop", PUSH, of_github(PUSH))
    assert len(rows(where="settled_at IS NULL")) == 1
    async with door(store.deliveries) as at:
        await until(lambda: bool(rows(where="settled_at IS NOT NULL")))
        assert at.looks.began == ["shop"]


async def test_deliveries_of_a_repository_that_left_the_configuration_are_settled_with_the_reason(
    store: Store, rows: Rows
) -> None:
    looks, follow = FakeLooks(), Follow(store.deliveries, now)
    looks.fail = [UserError("no repository 'shop' is polled")]
    async with door(store.deliveries) as at:
        at.looks.fail = [WorldError("gone")] * 99
        await at.post("shop", PUSH, of_github(PUSH))
    running = asyncio.create_task(follow.run(looks))
    await until(lambda: rows("message", "settled_at IS NOT NULL") == [("no repository 'shop' is polled",)])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert follow.heard("shop") is not None


async def test_a_database_that_fails_is_told_to_the_sender(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise WorldError("the disk is full")

    async with door(store.deliveries) as at:
        monkeypatch.setattr(store.deliveries, "take", full)
        assert await at.post("shop", PUSH, of_github(PUSH)) == (
            503,
            {"message": "it could not be stored; try again"},
        )
        monkeypatch.undo()
        assert (await at.post("shop", PUSH, of_github(PUSH)))[0] == 202


async def test_when_the_process_ends_what_has_come_is_stored_and_what_comes_is_to_be_sent_again(
    store: Store, rows: Rows
) -> None:
    intake = Intake(store.deliveries, lambda came: None, now)
    running = asyncio.create_task(intake.run())
    await asyncio.sleep(0)
    given = Delivery(id="d-1", repository="shop", event="push", body="0" * 64, received_at=now())
    taking = asyncio.create_task(intake.take(given))
    await asyncio.sleep(0)
    running.cancel()
    assert await taking == "New"
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(WorldError, match="the process ends"):
        await intake.take(given)
    assert rows() == [("d-1",)]
