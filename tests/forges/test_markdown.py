"""Text of a repository in a comment is shown as it is: judged by a CommonMark reader of its own."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner.errors import Mistake
from runner.forges.markdown import BitbucketMarkup, GitHubMarkup, Markup, block, fitting, table
from runner.forges.preview_text import PLAN, preview_comment
from runner.model.pull_request import ApplicationPreview, GroupPreview, Preview

HOSTILE = (
    "@acme/owners please approve",
    "<script>alert(1)</script>",
    "</code><img src=https://evil.example.com/x.png>",
    "[click](https://evil.example.com) ![x](https://evil.example.com/x.png)",
    "| a | b |\n|-|-|\n| c | d |",
    "```\n# title\n```",
    "--> **bold** `code` _x_ ~~y~~ #1 https://evil.example.com www.evil.example.com",
    "<!-- penstock:plan -->",
    "a\u202egnp.exe\u200b",
)
READER = MarkdownIt("commonmark", {"html": True}).enable("table")
WITHOUT_HTML = MarkdownIt("commonmark", {"html": False}).enable("table")  # as Bitbucket reads it
GITHUB, BITBUCKET = GitHubMarkup(), BitbucketMarkup()
code = GITHUB.code


def inlines(text: str, reader: MarkdownIt = READER) -> list[Token]:
    return [each for top in reader.parse(text) if top.type == "inline" for each in top.children or []]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_line_is_nothing_but_text(text: str) -> None:
    tokens = inlines(f"before {code(text)} after")
    assert {each.type for each in tokens} <= {"text", "html_inline", "text_special"}
    assert [each.content for each in tokens if each.type == "html_inline"] == ["<code>", "</code>"]


@given(st.text(max_size=200))
def test_any_text_in_a_line_can_be_read_and_does_nothing(text: str) -> None:
    shown = code(text, most=1000)
    tokens = inlines(f"x {shown}")
    assert {each.type for each in tokens} <= {"text", "html_inline", "text_special"}
    assert "\n" not in shown
    inside = html.unescape(shown.removeprefix("<code>").removesuffix("</code>"))
    assert [each for each in inside if each.isalnum()] == [each for each in text if each.isalnum()]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_block_stays_in_it(text: str) -> None:
    tokens = READER.parse(f"{block(text, 'diff')}\n\nafter")
    assert [each.type for each in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


def test_cells_of_a_table_keep_their_places() -> None:
    tokens = READER.parse(table(("A", "B"), [(code("x | y"), code("z"))]))
    assert sum(each.type == "td_open" for each in tokens) == 2


def test_what_has_no_room_is_left_out_and_counted() -> None:
    text = fitting("first", ["a" * 40, "b" * 40, "c" * 40], "last", longest=1_110)
    assert text.startswith("first\n\naaa")
    assert "ccc" not in text
    assert "no room here for 1 more" in text
    assert text.endswith("last")


def test_a_character_that_java_counts_twice_is_counted_twice() -> None:
    text = fitting("first", ["\U0001f600" * 40, "b" * 40], "last", longest=1_110)
    assert "bbb" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_line_on_bitbucket_is_one_span_of_code(text: str) -> None:
    assert [each.type for each in inlines(f"before {BITBUCKET.code(text)} after", WITHOUT_HTML)] == [
        "text",
        "code_inline",
        "text",
    ]
    row = WITHOUT_HTML.parse(table(("A", "B"), [(BITBUCKET.code(text), BITBUCKET.code("z"))]))
    assert sum(each.type == "td_open" for each in row) == 2


@given(st.text(max_size=200))
def test_any_text_in_a_line_on_bitbucket_can_be_read_and_does_nothing(text: str) -> None:
    shown = BITBUCKET.code(text, most=1000)
    assert {each.type for each in inlines(f"x {shown}", WITHOUT_HTML)} <= {"text", "code_inline"}
    assert [each for each in shown if each.isalnum()] == [
        each for each in text.replace("`", "\u02cb") if each.isalnum()
    ]


def test_a_preview_of_hostile_text_has_no_link_no_picture_and_no_other_marker() -> None:
    said = preview_comment(hostile(), GITHUB)
    tokens = inlines(said)
    assert not {each.type for each in tokens} & {"link_open", "image", "strong_open2", "em_open", "code_inline"}
    written = {each.content for each in tokens if each.type == "html_inline"}
    assert written <= {"<code>", "</code>", "<sub>", "</sub>"}
    assert said.startswith(GITHUB.marker(PLAN))


def test_a_preview_of_hostile_text_on_bitbucket_has_no_link_and_no_picture() -> None:
    said = preview_comment(hostile(), BITBUCKET)
    assert not {each.type for each in inlines(said, WITHOUT_HTML)} & {"link_open", "image", "html_inline"}
    assert said.startswith(BITBUCKET.marker(PLAN))
    assert "penstock:plan" not in WITHOUT_HTML.render(said.partition("\n\n")[0])  # nobody sees it


def hostile() -> Preview:
    evil = " ".join(HOSTILE)
    group = GroupPreview(name=evil, rollout=evil, facts=((evil, evil),))
    return Preview(
        state="Refused",
        text=evil,
        head="a" * 40,
        base="b" * 40,
        base_branch=evil,
        applications=(
            ApplicationPreview(application=evil, file=evil, groups=(group,), difference=evil),
            ApplicationPreview(application=evil, file=evil, refused=evil),
        ),
        more=(evil,),
        gone=(evil,),
        mistakes=(Mistake(evil, 1, evil, evil),),
        notes=(evil,),
    )


@pytest.mark.parametrize("markup", [GITHUB, BITBUCKET])
def test_a_comment_is_never_longer_than_the_forge_takes(markup: Markup) -> None:
    many = tuple(
        ApplicationPreview(application=f"a{number}", file="penstock.yaml", difference="+ x\n" * 5_000)
        for number in range(20)
    )
    preview = Preview(
        state="Deploys", text="x", head="a" * 40, base="b" * 40, base_branch="main", applications=many,
        more=tuple(f"m{number}" for number in range(1_000)),
    )  # fmt: skip
    said = preview_comment(preview, markup)
    assert len(said) <= markup.longest
    assert "no room here for" in said
