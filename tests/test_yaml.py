"""Two readings of YAML: ours for manifests, the official agent's for AppSpec files."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import InvalidFiles
from runner.yaml import MAX_BYTES, agent_scalar, core_scalar, read, read_like_agent


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        read(text, "penstock.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0644", 644),
        ("0o17", 15),
        ("0x1f", 31),
        ("-12", -12),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("v1.2", "v1.2"),
        (".", "."),
        ("-", "-"),
    ],
)
def test_a_manifest_reads_plain_scalars_by_yaml_1_2(text, value):
    assert core_scalar(text) == value
    assert type(core_scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("Yes", True),
        ("OFF", False),
        ("y", "y"),
        ("NULL", None),
        ("0644", 420),
        ("0755", 493),
        ("644", 644),
        ("08", "08"),
        ("0o644", "0o644"),
        ("0.0", 0.0),
        ("0.00", 0.0),
        ("1_000", 1000),
        ("1,000", 1000),
        ("0b11", 3),
        ("0x1F", 31),
        ("1:30", 90),
        ("-1:30", -90),
        ("1e5", "1e5"),
        ("1.0e+3", 1000.0),
        ("10s", "10s"),
        (".", "."),
    ],
)
def test_an_appspec_reads_plain_scalars_as_ruby_does(text, value):
    assert agent_scalar(text) == value
    assert type(agent_scalar(text)) is type(value)


def test_a_date_is_refused_in_an_appspec_as_by_the_agent():
    with pytest.raises(InvalidFiles, match="reads as a date"):
        read_like_agent("x: 2024-01-31", "appspec.yml")


def test_every_value_knows_its_line():
    document = read("a: 1\nb:\n  - x\n  - c: |\n      long\n      text\n    d: &q {e: 1}\nf: *q\n", "f")
    assert document.data == {"a": 1, "b": ["x", {"c": "long\ntext\n", "d": {"e": 1}}], "f": {"e": 1}}
    paths = [(), ("a",), ("b", 0), ("b", 1, "c"), ("b", 1, "d", "e"), ("f",), ("b", 1, "gone", "below")]
    assert [document.line(path) for path in paths] == [1, 1, 3, 4, 7, 8, 4]


def test_a_scalar_remembers_how_it_was_written():
    document = read_like_agent("mode: 0644\nlist: []\n", "f")
    assert document.written(("mode",)) == "0644"
    assert document.written(("list",)) is None
    assert document.written(("gone",)) is None


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "--- \n...\n"])
def test_an_empty_file_is_an_empty_document(text):
    document = read(text, "f")
    assert document.is_empty
    assert document.data is None


def test_quoted_scalars_are_text():
    assert read('["1", \'true\', "", !!str 1]', "f").data == ["1", "true", "", "1"]


def test_all_mistakes_are_reported_at_once():
    assert mistakes_of("a: 1\na: 2\n<<: {x: 1}\n1: 2\nb: .inf\n") == [
        "penstock.yaml:2 a: appears twice in one mapping; first on line 1",
        "penstock.yaml:3 <<: merge keys are not supported; write the keys out",
        "penstock.yaml:4 1: a key must be text; put it in quotes: '1'",
        "penstock.yaml:5 b: .inf is no number that can be used; put it in quotes if it is text",
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [\n", 2, "not valid YAML: did not find expected node content"),
        ("a:\n\t- b", 2, "not valid YAML: found character that cannot start any token"),
        ("a: \x07", 1, "not valid YAML: the character U+0007 is not allowed"),
        ("a: \ud800", 0, "holds characters that are not Unicode text"),
        ("a: 1\n---\nb: 2\n", 2, "a second document starts here; one file is one document"),
        ("a: *gone", 1, "*gone refers to an anchor that is not above it"),
        ("a: &a\n  - *a", 2, "*a stands inside the value that it refers to"),
        ("a: !!python/name:os.system x", 1, "the tag tag:yaml.org,2002:python/name:os.system is not supported"),
        ("a: !custom {}", 1, "the tag !custom is not supported"),
        ("a: {{ vars.x }}", 1, "a key must be text, and text that begins with { or [ needs quotes"),
        ("a: 12345678901234567890", 1, "the number 123456789012345678... is too long"),
        ("true: 1", 1, "a key must be text"),
    ],
)
def test_a_manifest_refuses(text, line, message):
    with pytest.raises(InvalidFiles) as caught:
        read(text, "f")
    [mistake] = caught.value.mistakes
    assert mistake.line == line
    assert mistake.message.startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        "- " * 200_000,
        "{a: " * 200_000,
        "[" * 200_000,
        "a: " + "x" * MAX_BYTES,
        "".join(f"%TAG !a{number}! tag:example.com,2000:\n" for number in range(30_000)) + "--- x",
        "".join(f"k{number}: 1\n" for number in range(60_000)),
    ],
    ids=["billion laughs", "deep lists", "deep mappings", "deep flow", "large", "directives", "many values"],
)
def test_a_document_that_would_cost_too_much_is_refused_at_once(text):
    for reading in (read, read_like_agent):
        before = time.process_time()
        with pytest.raises(InvalidFiles):
            reading(text, "f")
        assert time.process_time() - before < 5  # it takes a tenth of a second; without a bound, minutes


def test_the_agent_takes_the_last_of_equal_keys():
    assert read_like_agent("a: 1\nb: 2\na: 3\n", "f").data == {"a": 3, "b": 2}


def test_the_agent_looks_at_the_first_document_only():
    assert read_like_agent("a: 1\n---\nb: [\n", "f").data == {"a": 1}


def test_the_agent_refuses_aliases():
    with pytest.raises(InvalidFiles, match="refused by the CodeDeploy agent"):
        read_like_agent("a: &x 1\nb: *x\n", "f")


def test_the_agent_refuses_a_byte_order_mark():
    with pytest.raises(InvalidFiles, match="byte order mark"):
        read_like_agent("\ufeffversion: 0.0\n", "f")


YAML_PIECES = st.lists(
    st.sampled_from(
        [*"abc019:-?[]{},&*!|>'\"%@`#~ \n\t", "\n  ", ": ", "- ", "&a ", "*a", "<<: ", "---\n", "!!int ", "0x", "0_"]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(YAML_PIECES, st.text(max_size=40)))
def test_any_text_is_a_document_or_a_clear_mistake(text):
    for reading in (read, read_like_agent):
        try:
            reading(text, "f")
        except InvalidFiles as error:
            assert error.mistakes
