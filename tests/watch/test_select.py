"""Globs of branches and tags."""

import pytest

from runner.config import RepositoryConfig
from runner.watch.select import selected

HEADS = {
    ref: f"{number:040x}"
    for number, ref in enumerate(
        (
            "refs/heads/main",
            "refs/heads/Main",
            "refs/heads/release/1",
            "refs/heads/release/2/fix",
            "refs/heads/v1.0",
            "refs/tags/v1.0",
            "refs/tags/v1.0/rc",
            "refs/tags/main",
            "refs/notes/main",
            "HEAD",
        )
    )
}


def names(branches: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> set[str]:
    config = RepositoryConfig(name="shop", url="/shop", branches=branches, tags=tags)
    found = selected(HEADS, config)
    assert all(HEADS[ref] == commit_id for ref, commit_id in found.items())
    return {ref.removeprefix("refs/") for ref in found}


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ((), set()),
        (("main",), {"heads/main"}),
        (("[mM]ain",), set()),  # brackets mean themselves
        (("ma?n",), {"heads/main"}),
        (("*",), {"heads/main", "heads/Main", "heads/v1.0"}),
        (("release/*",), {"heads/release/1"}),
        (("release/**",), {"heads/release/1", "heads/release/2/fix"}),
        (("**/fix", "main"), {"heads/release/2/fix", "heads/main"}),
        (("v1?0",), {"heads/v1.0"}),
    ],
)
def test_branches_are_selected_by_globs(branches: tuple[str, ...], expected: set[str]) -> None:
    assert names(branches=branches) == expected


def test_tags_are_selected_by_their_own_globs() -> None:
    assert names(tags=("v*",)) == {"tags/v1.0"}
    assert names(branches=("main",), tags=("v**",)) == {"heads/main", "tags/v1.0", "tags/v1.0/rc"}


def test_nothing_but_branches_and_tags_is_ever_selected() -> None:
    assert names(branches=("**",), tags=("**",)) == {
        ref.removeprefix("refs/") for ref in HEADS if ref.count("/") > 1
    } - {"notes/main"}
