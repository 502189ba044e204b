"""Patterns and versions."""

import pytest

from runner.plan.refs import matches, newest_tags


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("release/*", "release/1.2", True),
        ("release/*", "release/1/2", False),
        ("release/**", "release/1/2", True),
        ("v*", "v1.2.3", True),
        ("web/**", "web/a/b.txt", True),
        ("web/**", "web", False),
        ("**/*.py", "a/b/c.py", True),
        ("**/*.py", "c.py", True),
        ("v?.0", "v1.0", True),
        ("a.c", "abc", False),
        ("*", "feature/x", False),
        ("**", "feature/x", True),
    ],
)
def test_globs(pattern, name, does):
    assert matches(pattern, name) is does


def test_versions_are_ordered_as_numbers():
    assert newest_tags(["v1.9", "v1.10", "v1.2"]) == {"v1.10"}
    assert newest_tags([]) == set()


def test_each_family_of_tags_has_its_newest():
    assert newest_tags(["web-v2", "web-v10", "api-v3", "api-v1"]) == {"web-v10", "api-v3"}
