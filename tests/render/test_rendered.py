"""Manifests rendered before are the ones that rendering anew would make."""

from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidFiles
from runner.model.manifest import Manifest
from runner.model.revision import Commit
from runner.render import manifest
from runner.render.context import Context
from runner.render.rendered import Rendered

USES = ("fixed", "{{ commit.short }}", "{{ branch }}", "{{ repository }}", "{{ env.STAGE }}", "{{ vars.other }}")
BRANCHES, STAGES = ("main", "next", None), ("blue", "green")


def text(application: str, use: str, other: str) -> str:
    return f"""penstock: v1
application: {application}
platform: Server
vars: {{other: "{other}"}}
deployment_groups:
  all:
    targets: {{tags: {{stage: "{use}"}}}}
"""


def context(commit: str, branch: str | None, repository: str, stage: str) -> Context:
    made = Commit(id=commit * 40, author="A <a@example.com>", message="m", time="2026-01-01T00:00:00+00:00")
    return Context(commit=made, branch=branch, repository=repository, environment={"STAGE": stage})


contexts = st.builds(
    context, st.sampled_from("ab"), st.sampled_from(BRANCHES), st.sampled_from("xy"), st.sampled_from(STAGES)
)
texts = st.builds(text, st.sampled_from(["shop", "till"]), st.sampled_from(USES), st.sampled_from(USES[:-1]))
commits = st.dictionaries(st.sampled_from(["penstock.yaml", "till/penstock.yaml"]), texts, min_size=1)


def read(files: dict[str, str], of: Context, rendered: Rendered | None = None) -> tuple[Manifest, ...] | str:
    try:
        return manifest.read(files, of, rendered)
    except InvalidFiles as error:
        return error.message


@given(st.lists(st.tuples(commits, contexts), min_size=2, max_size=8), st.sampled_from([1, 300, 100_000]))
def test_they_are_what_rendering_anew_makes(pushes: list[tuple[dict[str, str], Context]], most: int) -> None:
    rendered = Rendered(most)
    for files, of in pushes:
        assert read(files, of, rendered) == read(files, of)


def test_what_is_kept_is_bounded_by_its_text() -> None:
    rendered, of = Rendered(500), context("a", "main", "x", "blue")
    texts = [text(f"shop-{number}", "fixed", "fixed") for number in range(5)]
    made = [manifest.read({"penstock.yaml": each}, of, rendered)[0] for each in texts]
    kept = [each for each in texts if rendered.find("penstock.yaml", each, of)]
    assert kept == texts[-len(kept) :] and 0 < sum(map(len, kept)) <= 500
    assert manifest.read({"penstock.yaml": texts[-1]}, of, rendered)[0] is made[-1]


def test_one_that_uses_nothing_of_the_commit_is_not_rendered_again() -> None:
    files, rendered = {"penstock.yaml": text("shop", "{{ branch }}", "fixed")}, Rendered()
    (first,) = manifest.read(files, context("a", "main", "x", "blue"), rendered)
    (again,) = manifest.read(files, context("b", "main", "y", "green"), rendered)
    (other,) = manifest.read(files, context("b", "next", "y", "green"), rendered)
    assert again is first
    assert other.groups[0].tags == {"stage": ("next",)}
