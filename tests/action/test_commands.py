import io
import sys

from composite_action import found_in
from hypothesis import example, given
from hypothesis import strategies as st

from runner.cli.action.commands import Inert, Screen, command, defused

NASTY = st.text(alphabet=st.sampled_from(list(":#[]\r\n \t\x85\u2028\ufeff\u00a0%,=ag")), max_size=40)


@given(NASTY, NASTY, NASTY)
@example("100%25\r\n::error::x", "a:b,c=d\n::e::", "")
def test_a_command_is_read_as_it_was_meant(message: str, title: str, file: str) -> None:
    text = command("error", message, title=title, file=file)
    assert "\n" not in text
    assert "\r" not in text
    found = found_in(text)
    assert found is not None
    assert (found.name, found.data) == ("error", message)
    assert found.properties == {"title": title, "file": file}


@given(st.one_of(NASTY, st.text()), st.integers(1, 5))
@example("\r::error::x", 1)
@example("x ##[error]y", 3)
@example("\ufeff::error::x", 1)
def test_no_runner_finds_a_command_in_inert_text(text: str, pieces: int) -> None:
    out = io.StringIO(newline="")
    inert = Inert(out)
    for start in range(0, len(text), pieces):
        inert.write(text[start : start + pieces])
        inert.flush()
    inert.finish()
    lines = out.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [line for line in lines if found_in(line)] == []


def test_plain_lines_are_printed_as_they_are() -> None:
    assert defused("12:00:01 d-1 shop::prod at [::1]:80 said # [x]") == "12:00:01 d-1 shop::prod at [::1]:80 said # [x]"


def test_what_anybody_prints_meanwhile_is_inert_and_stays_in_order() -> None:
    out = io.StringIO()
    screen = Screen(out)
    with screen.in_place(), screen.group("Deploy"):
        print("::error::forged")
        print("no end", end="", file=sys.stderr)
    assert out.getvalue() == "::group::Deploy\n: :error::forged\nno end\n::endgroup::\n"


def test_more_annotations_than_github_shows_are_printed() -> None:
    out = io.StringIO()
    screen = Screen(out)
    with screen.in_place():
        for number in range(12):
            screen.annotate("error", "title", f"mistake {number}", "a.yaml", number)
    lines = out.getvalue().splitlines()
    assert len([line for line in lines if found_in(line)]) == 10
    assert lines[-1] == "a.yaml:11 title: mistake 11"
