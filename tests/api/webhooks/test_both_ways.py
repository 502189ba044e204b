"""Whether a delivery comes whole, past ASGI, or in pieces: one code judges it, and the answer is the same."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from store_cases import PIPELINE, begin_with_tables
from webhook_rig import PUSH, door, generic, of_bitbucket, of_github, sign

from runner.api.webhooks.endpoint import Webhooks
from runner.errors import WorldError
from runner.store.store import Store

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
OTHER = PUSH.replace(b"main", b"next")

SENT: list[tuple[str, bytes, dict[str, str]]] = [
    ("shop", PUSH, of_github(PUSH)),
    ("shop", PUSH, of_github(PUSH)),  # again
    ("shop", OTHER, of_github(OTHER)),  # again, with another body
    ("shop", b"{}", of_github(b"{}", "ping", "d-2")),
    ("rotated", PUSH, of_github(PUSH, x_hub_signature_256=sign(PUSH, "another"))),
    ("cloud", PUSH, of_bitbucket(PUSH, "repo:push", "{a-1}", cloud=True)),
    ("own", PUSH, generic(PUSH, "run-1", NOW.timestamp())),
    ("own", PUSH, generic(PUSH, "run-2", NOW.timestamp() - 4000)),
    ("unknown", PUSH, of_github(PUSH)),
    ("forgotten", PUSH, of_github(PUSH)),
    ("shop", PUSH, of_github(OTHER)),
    ("shop", PUSH, {}),
    ("shop", PUSH, of_github(PUSH, x_github_delivery="")),
    ("shop", PUSH, of_github(PUSH, content_type="text/xml")),
    ("shop", b"{", of_github(b"{")),
]


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the requests that came whole."""
    paths: list[str] = []
    take = Webhooks.take

    def noted(self: Webhooks, request: Any, reply: Any) -> None:
        paths.append(request.path)
        take(self, request, reply)

    monkeypatch.setattr(Webhooks, "take", noted)
    return paths


async def _answered(folder: Path, *, pieces: bool) -> tuple[list[Any], list[Any]]:
    """The answers to SENT, and what is in the database then."""
    begin_with_tables(folder)
    store = Store(folder, PIPELINE)
    try:
        async with door(store.deliveries, clock=lambda: NOW) as at:
            at.pieces = pieces
            answers = [await at.post(*each) for each in SENT]
        return answers, [(each.repository, each.id, each.event, each.refs) for each in store.state().deliveries]
    finally:
        store.close()


async def test_the_answers_and_what_is_stored_are_the_same(tmp_path: Path, whole: list[str]) -> None:
    answers, stored = await _answered(tmp_path / "whole", pieces=False)
    assert len(whole) == len(SENT)
    assert (answers, stored) == await _answered(tmp_path / "pieces", pieces=True)
    assert len(whole) == len(SENT)
    assert {status for status, _ in answers} == {202, 400, 403, 409, 415}
    assert {told["status"] for status, told in answers if status == 202} == {"stored", "known", "recorded"}


@pytest.mark.parametrize(("error", "status"), [(WorldError("the disk is full"), 503), (RuntimeError("a bug"), 500)])
async def test_trouble_is_told_the_same_and_the_log_has_the_reason(
    store: Store,
    whole: list[str],
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(store.deliveries, "take", failing)
    async with door(store.deliveries) as at:
        answers = []
        for at.pieces in (False, True):
            answers.append(await at.post("shop", PUSH, of_github(PUSH)))
    assert len(whole) == 1
    assert answers[0] == answers[1]
    assert answers[0][0] == status
    assert "".join(capsys.readouterr()).count(str(error)) >= 2
