"""What is refused, and that the answer helps nobody who is not known."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listening import client, listening
from waiting import until
from webhook_rig import PUSH, REPOSITORIES, Door, door, generic, now, of_bitbucket, of_github, read_secret, sign

from runner.api.site import Mounts
from runner.api.webhooks.body import KEPT, LARGEST, Reading
from runner.api.webhooks.endpoint import Webhooks
from runner.api.webhooks.hooks import Hooks
from runner.api.webhooks.intake import Intake
from runner.model.delivery import Delivery, Taken
from runner.store.store import Store

Rows = Callable[..., list[tuple[Any, ...]]]
UNSIGNED = (403, {"message": "there is no webhook here, or its signature is wrong"})
NAMES = ("shop", "rotated", "forgotten", "cloud", "centre", "own", "quiet", "unknown", "", "../shop", "shop/", "%00")


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha256=" + "0" * 64, sign(PUSH, "guessed"), sign(PUSH, ""), "sha1=" + "0" * 40, "\xff" * 71],
)
async def test_whoever_does_not_sign_right_is_told_the_same_whatever_is_there(
    store: Store, rows: Rows, signature: str | None
) -> None:
    headers = of_github(PUSH)
    del headers["x-hub-signature-256"]
    if signature is not None:
        for header in ("x-hub-signature-256", "x-hub-signature", "x-signature-256"):
            headers[header] = signature
    async with door(store.deliveries) as at:
        assert [await at.post(name, PUSH, headers) for name in NAMES] == [UNSIGNED] * len(NAMES)
    assert rows() == []


async def test_the_log_tells_the_owner_why(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    async with door(store.deliveries) as at:
        await at.post("shop", PUSH, {"x-github-event": "push"})
        await at.post("shop", PUSH, of_github(PUSH, x_hub_signature_256=sign(PUSH, "guessed")))
        await at.post("unknown", PUSH, of_github(PUSH))
    log = "".join(capsys.readouterr())
    assert "it is not signed: there is no x-hub-signature-256" in log
    assert "the signature is of none of its secrets" in log
    assert "no repository of this name has a [webhook]" in log
    assert "guessed" not in log


async def test_the_log_does_not_fill_up_with_refusals(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    async with door(store.deliveries) as at:
        for _ in range(40):
            await at.post("shop", PUSH, {})
    assert "".join(capsys.readouterr()).count("webhook refused") < 15


async def test_a_body_that_was_changed_on_the_way_is_refused(store: Store) -> None:
    async with door(store.deliveries) as at:
        assert await at.post("shop", PUSH + b" ", of_github(PUSH)) == UNSIGNED
        headers = generic(PUSH, "run-1")
        for change in ({"x-delivery-id": "run-2"}, {"x-timestamp": str(int(headers["x-timestamp"]) + 1)}):
            assert await at.post("own", PUSH, headers | change) == UNSIGNED


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"x_github_delivery": ""}, 400, "the header x-github-delivery is missing"),
        (
            {"x_github_delivery": "a b"},
            400,
            "the header x-github-delivery is malformed: it may have 1 to 128 printable",
        ),
        ({"x_github_event": "e" * 65}, 400, "the header x-github-event is malformed"),
        ({"content_type": "text/xml"}, 415, "the content type should be application/json or"),
        ({"content_type": "application/x-www-form-urlencoded"}, 400, "the body is not JSON"),
    ],
)
async def test_whoever_signs_right_is_told_what_is_wrong(
    store: Store, rows: Rows, headers: dict[str, str], status: int, message: str
) -> None:
    async with door(store.deliveries) as at:
        answered = await at.post("shop", PUSH, of_github(PUSH, **headers))
    assert answered[0] == status
    assert answered[1]["message"].startswith(message)
    assert rows() == []


async def test_25_megabytes_are_refused_before_they_are_read(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        await at.connection.send(b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 26214400\r\n\r\n{")
        status, headers, told = await at.connection.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(told)["message"] == f"the body may have {LARGEST} bytes; the repository is polled all the same"
    assert rows() == []


async def test_a_body_of_untold_length_is_refused_once_it_is_too_large(store: Store) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    async with door(store.deliveries) as at:
        await at.connection.send(b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(LARGEST // 65536 + 1):
            await at.connection.send(chunk)
        assert (await at.connection.answer())[0] == 413


async def test_a_large_push_is_taken_without_being_kept(store: Store, rows: Rows) -> None:
    body = json.dumps({"ref": "refs/heads/main", "commits": ["x" * 1000] * 4000}).encode()
    assert KEPT < len(body) < LARGEST
    async with door(store.deliveries) as at:
        assert (await at.post("shop", body, of_github(body)))[1]["status"] == "stored"
    assert rows("refs") == [("[]",)]


async def test_bodies_that_arrive_together_take_bounded_memory() -> None:
    reading, pieces = Reading(kept_of_all=100), [b"x" * 60, b"y" * 60]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def read() -> bytes | None:
        return (await reading.read(receive, [], b"")).content

    assert await read() is None
    pieces[:] = [b"x" * 100]
    assert await read() == b"x" * 100  # what the first one took is free again
    pieces[:] = [b"x" * 100]
    assert await read() == b"x" * 100


@pytest.mark.parametrize("name", ["shop", "unknown"])
async def test_whoever_looks_with_a_browser_is_told_what_the_address_is_for(store: Store, name: str) -> None:
    async with door(store.deliveries) as at:
        status, headers, told = await at.connection.ask(f"GET /webhooks/{name}")
    assert (status, headers["allow"]) == (405, "POST")
    assert told.startswith(b"This address takes webhooks")


async def test_a_signed_download_from_a_bucket_of_that_name_is_not_this_rooms_affair(store: Store) -> None:
    async with door(store.deliveries) as at:
        await at.connection.send(b"GET /webhooks/shop HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 x\r\n\r\n")
        assert (await at.connection.answer())[0] == 404


async def test_what_is_not_signed_is_not_parsed(store: Store) -> None:
    broken = b'{"ref": '
    async with door(store.deliveries) as at:
        for headers in (of_github(PUSH), of_github(broken, content_type="text/xml", x_hub_signature_256=sign(PUSH))):
            assert await at.post("shop", broken, headers) == UNSIGNED
        assert (await at.post("shop", broken, of_github(broken)))[0] == 400


class Memory:
    """A fake of what the intake needs of the store: keeps nothing."""

    def take(self, deliveries: list[Delivery]) -> Any:
        from runner.ports.deliveries import Stored

        taken: list[Taken] = ["New"] * len(deliveries)
        return Stored(taken, 1)

    def forget(self, before: object) -> int:
        return 0


_NAMES = st.sampled_from(["shop", "cloud", "centre", "own", "unknown"])
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["ref", "push", "changes", "new", "refId"]), inner),
)
_BODIES = st.binary(max_size=2000) | _JSON.map(lambda told: json.dumps(told).encode())


def _headers(name: str, body: bytes, event: str, delivery: str) -> dict[str, str]:
    if name == "own":
        return generic(body, delivery or "x")
    if name in ("cloud", "centre"):
        return of_bitbucket(body, event, delivery, cloud=name == "cloud")
    return of_github(body, event, delivery)


def test_whatever_comes_the_answer_is_never_an_error_of_ours() -> None:
    loop = asyncio.new_event_loop()

    async def begin() -> tuple[Any, Any, Door]:
        intake = Intake(Memory(), lambda came: None, now)  # type: ignore[arg-type]
        writing = asyncio.create_task(intake.run())
        hooks = Hooks(REPOSITORIES, read_secret)
        opened = listening(Mounts(webhooks=Webhooks(hooks, intake, now)))
        return writing, opened, await opened.__aenter__()  # type: ignore[return-value]

    writing, opened, address = loop.run_until_complete(begin())

    async def post(name: str, body: bytes, headers: dict[str, str]) -> int:
        async with client(address) as made:  # type: ignore[arg-type]
            return (await Door(made, None, None).post(name, body, headers))[0]  # type: ignore[arg-type]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        _NAMES,
        _BODIES,
        st.sampled_from(["push", "create", "release", "pull_request", "workflow_run", "repo:push", "repo:refs_changed"])
        | _VALUES,
        st.just("d-1") | _VALUES,
        st.sampled_from(["content-type", "x-github-event", "x-timestamp", "x-hub-signature"]),
        st.none() | st.sampled_from(["application/x-www-form-urlencoded", "application/json"]) | _VALUES,
    )
    def check(name: str, body: bytes, event: str, delivery: str, header: str, value: str | None) -> None:
        headers = _headers(name, body, event.strip(), delivery.strip())
        if value is not None:
            headers[header] = value.strip()
        assert loop.run_until_complete(post(name, body, headers)) in (202, 400, 403, 409, 415)

    try:
        check()
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        writing.cancel()
        loop.run_until_complete(asyncio.gather(writing, return_exceptions=True))
        loop.close()


async def test_a_body_that_does_not_come_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.api.webhooks.endpoint.SLOWEST", 0.05)
    async with door(store.deliveries) as at:
        await at.connection.send(b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        assert (await at.connection.answer())[0] == 408


async def test_a_sender_that_hangs_up_early_leaves_nothing(store: Store, rows: Rows) -> None:
    async with door(store.deliveries) as at:
        await at.connection.send(b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        at.connection.hang_up()
        await until(lambda: at.hooks.of("shop").known)
    assert rows() == []
