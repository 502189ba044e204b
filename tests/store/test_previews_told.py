"""What pull requests were told is remembered, and forgotten with them."""

import datetime as dt
from pathlib import Path

from store_cases import PIPELINE

from runner.model.status import PullRequestsState
from runner.ports.pull_requests import Told
from runner.store.store import Store

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_the_last_that_was_told_is_known_to_the_next_process(tmp_path: Path) -> None:
    store = Store(tmp_path, PIPELINE)
    store.previews.tell("shop", 7, Told("a", "main b", "x"), AT)
    store.previews.tell("shop", 7, Told("c", "main d", "y"), AT)
    store.previews.tell("blog", 7, Told("e", "main f", "z"), AT)
    store.close()
    again = Store(tmp_path, PIPELINE)
    assert again.previews.told("shop") == {7: Told("c", "main d", "y")}
    again.previews.keep("shop", [8])
    assert again.previews.told("shop") == {}
    assert list(again.previews.told("blog")) == [7]
    again.close()


def test_looks_that_fail_are_counted_until_one_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path, PIPELINE)
    store.previews.succeeded("blog")
    for untold in (3, 2):
        store.previews.failed("shop", "no route to host", untold, AT)
    assert store.state().pull_requests == (
        PullRequestsState(repository="shop", failures=2, untold=2, failed_at=AT, error="no route to host"),
    )
    store.previews.succeeded("shop")
    assert store.state().pull_requests == ()
    store.close()
