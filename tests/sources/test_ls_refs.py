"""Protocol 2 without a connection; and against git itself: what libgit2 reads of any repository, read from `ls-refs`."""

import subprocess
from collections.abc import Iterator
from typing import TypeVar

import pytest
from gitserver import Origin, git, http_server
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config import RepositoryConfig
from runner.errors import WorldError
from runner.plan.refs import matches
from runner.sources.git import GitRepository
from runner.sources.git.ls_refs import heads, is_whole, prefixes, request, speaks
from runner.watch.select import selected

T = TypeVar("T")
SHA = b"0123456789abcdef0123456789abcdef01234567"
OTHER = b"f" * 40

parts = st.text(alphabet="abé1", min_size=1, max_size=3)
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
globs = st.lists(st.one_of(parts, st.sampled_from(["*", "**", "?", "a*", "*b"])), min_size=1, max_size=3).map("/".join)
several = st.lists(globs, max_size=3).map(tuple)


def config(branches: tuple[str, ...] = (), tags: tuple[str, ...] = (), url: str = "x") -> RepositoryConfig:
    return RepositoryConfig(name="shop", url=url, branches=branches, tags=tags)


def test_a_request_is_as_git_writes_it() -> None:
    assert request(config(("main", "release/*"), ("v*",))) == (
        b"0014command=ls-refs\n00010009peel\n"
        b"001fref-prefix refs/heads/main\n0023ref-prefix refs/heads/release/\n001bref-prefix refs/tags/v\n0000"
    )


def test_globs_that_begin_alike_are_asked_for_once() -> None:
    assert prefixes(config(("a*", "a?", "**"), ())) == ("refs/heads/a", "refs/heads/")


def test_nothing_configured_does_not_mean_everything() -> None:
    assert prefixes(config()) == ("refs/heads/",)


@given(names, globs)
def test_every_ref_that_a_glob_takes_begins_with_its_prefix(name: str, glob: str) -> None:
    if matches(glob, name):
        assert f"refs/heads/{name}".startswith(prefixes(config((glob,)))[0])


def test_an_annotated_tag_gives_its_commit_and_other_refs_are_left_out() -> None:
    lines = [SHA + b" refs/heads/main symref-target:x", OTHER + b" refs/tags/v1 peeled:" + SHA, SHA + b" HEAD"]
    raw = b"".join(b"%04x%s\n" % (len(line) + 5, line) for line in lines) + b"0000"
    assert heads(raw) == {"refs/heads/main": SHA.decode(), "refs/tags/v1": SHA.decode()}


def test_no_refs_are_an_answer() -> None:
    assert is_whole(b"0000")
    assert heads(b"0000") == {}


@pytest.mark.parametrize("raw", [b"", b"0008ERR 0000", b"003d" + SHA, b"<html>"])
def test_what_is_no_whole_answer_is_seen(raw: bytes) -> None:
    assert not is_whole(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_refs_or_a_problem_of_the_world(raw: bytes) -> None:
    speaks(raw)
    try:
        found = heads(raw)
    except WorldError:
        return
    assert all(len(commit_id) == 40 for commit_id in found.values())


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Origin, str, list[str]]]:
    origin = Origin(tmp_path_factory.mktemp("origin"))
    commits = [origin.commit({"a": str(number)}) for number in range(3)]
    with http_server(origin.path.parent) as server:
        yield origin, f"{server.url}/shop.git", commits


def asked(origin: Origin, body: bytes) -> bytes:
    """What git itself answers."""
    command = ["git", "upload-pack", "--stateless-rpc", str(origin.path)]
    done = subprocess.run(command, input=body, capture_output=True, check=True, env={"GIT_PROTOCOL": "version=2"})
    return done.stdout


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(names, st.integers(0, 2), max_size=6),
    st.dictionaries(names, st.tuples(st.integers(0, 2), st.booleans()), max_size=6),
    several,
    several,
)
def test_what_is_selected_is_the_same_by_libgit2_and_by_ls_refs(
    tmp_path_factory: pytest.TempPathFactory,
    origin: tuple[Origin, str, list[str]],
    branches: dict[str, int],
    tags: dict[str, tuple[int, bool]],
    wanted_branches: tuple[str, ...],
    wanted_tags: tuple[str, ...],
) -> None:
    repository, url, commits = origin
    for ref in git("for-each-ref", "--format=%(refname)", cwd=repository.path).splitlines():
        git("update-ref", "-d", ref, cwd=repository.path)
    for name, number in without_folders(branches).items():
        git("update-ref", f"refs/heads/{name}", commits[number], cwd=repository.path)
    for name, (number, annotated) in without_folders(tags).items():
        git("tag", *(["-a", "-m", "x"] if annotated else []), name, commits[number], cwd=repository.path)
    given = config(wanted_branches, wanted_tags, url)
    by_libgit2 = GitRepository(given, tmp_path_factory.mktemp("mirror") / "shop.git").heads()
    raw = asked(repository, request(given))
    assert is_whole(raw)
    assert selected(heads(raw), given) == selected(by_libgit2, given)


def without_folders(refs: dict[str, T]) -> dict[str, T]:
    """git cannot have a branch `a` beside a branch `a/b`."""
    return {name: at for name, at in refs.items() if not any(other.startswith(f"{name}/") for other in refs)}
