"""Templates inside scalars, kind ones and hostile ones."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.render.names import Names, TemplateMistake
from runner.render.template import is_template, names_used, render

NAMES = Names(
    {
        "commit": Names({"id": "a1b2c3" * 6 + "d4e5", "message": "m" * 32_000}, "commit"),
        "branch": "main",
        "group": "production",
        "vars": Names({"stage": "prod", "count": 3, "on": True, "items": "mine", "rate": 0.5}, "vars"),
    },
    hint="names are commit, branch, group and vars",
)


def mistake_of(text: str) -> str:
    with pytest.raises(TemplateMistake) as caught:
        render(text, NAMES)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("web/{{ commit.id }}.tgz", "web/" + "a1b2c3" * 6 + "d4e5.tgz"),
        ("{{ commit.id[:7] }}", "a1b2c3a"),
        ("{{ vars.stage | upper }}-{{ branch }}", "PROD-main"),
        ("{{ vars.items }}", "mine"),
        ("{{ vars['stage'] }}", "prod"),
        ("{{ vars.count * 2 + 1 }}", "7"),
        ("{{ vars.on }}", "true"),
        ("{{ vars.rate }}", "0.5"),
        ("{{ branch ~ '-' ~ vars.count }}", "main-3"),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ 'live' if branch == 'main' else 'test' }}", "live"),
        ("{{ branch in ['main', 'next'] }}", "true"),
        ("{{ tag | default('none') }}", "none"),
        ("{{ 'x' if tag is defined else 'y' }}", "y"),
        ("{{ branch | replace('m', 'M') | truncate(2) }}", "Ma"),
        ("{{ 2.4 | round }} {{ '7' | int }} {{ 'abc' | length }}", "2 7 3"),
        ("{{ '{{' }} {# no comment #}\n", "{{ {# no comment #}\n"),
    ],
)
def test_an_expression_is_rendered(text, rendered):
    assert render(text, NAMES) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ comit.id }}", "comit is not defined; did you mean commit?"),
        ("{{ commit.idd }}", "commit.idd is not defined; did you mean commit.id?"),
        ("{{ zebra }}", "zebra is not defined; names are commit, branch, group and vars"),
        ("{{ vars.zebra.stripes }}", "vars.zebra is not defined"),
        ("{{ vars.zebra + 1 }}", "vars.zebra is not defined"),
        ("{{ vars }}", "vars is not a value; it holds count, items, on, rate, stage"),
        ("{{ none }}", "the template makes nothing where text is needed"),
        ("{{ [1, 2] }}", "the template makes a list where text is needed"),
        ("{% if true %}x{% endif %}", "statements ({% ... %}) are not supported, only expressions ({{ ... }})"),
        ("{{ branch", "not a valid template: unexpected end of template, expected 'end of print statement'."),
        ("{{ }}", "not a valid template: Expected an expression, got 'end of print statement'"),
        ("{{ branch | sha256 }}", "there is no filter sha256; known here: abs, capitalize"),
        ("{{ branch is callable }}", "there is no test callable; known here: boolean"),
        ("{{ 'x' if branch }}", "an `if` in a template needs an `else`"),
        ("{{ 1 / 0 }}", "the template fails: division by zero"),
        ("{{ 1 < 'a' }}", "the template fails: '<' not supported"),
        ("{{ 1 + 'a' }}", "+ works on numbers only; to put texts together write {{ a ~ b }}"),
        ("{{ branch.upper() }}", "calls are not supported; filters are: {{ branch | lower }}"),
        ("{{ {'a': 1} }}", "mappings are not supported"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(text, message):
    assert mistake_of(text).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 'a' * 999999999 }}",
        "{{ 9**9**9**9 }}",
        "{{ range(10**9) | list }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '' | center(999999999) }}",
        "{{ lipsum(n=99999) }}",
        "{% for a in range(99999999) %}{% endfor %}",
        "{{ " + "~".join(["commit.message"] * 900) + " }}",
        "{{ commit.message }}" * 5,
        "{{ commit.message | replace('m', commit.message) }}",
        "{{ commit.message | replace('', commit.message) }}",
        "{{ commit.message" + " | upper | lower" * 900 + " }}",
        "{{ 1" + " * 9999999" * 1400 + " }}",
        "{{ " + "9" * 15_000 + " }}",
        "{{ '" + "9" * 15_000 + "' | int }}",
        "{{ 1.5 | round(-999999999) | round('x') }}",
        "{{ " + "(" * 7_000 + "1" + ")" * 7_000 + " }}",
        "{{ " + "not " * 3_000 + "1 }}",
        "{{ " + "-" * 15_000 + "1 }}",
        "{{ " + "[" * 100 + "]" * 100 + " }}",
        "{{ " + "x" * 20_000 + " }}",
        "{{ 1e308 * 1e308 }}",
    ],
)
def test_a_template_that_loops_or_grows_ends_at_once(text):
    before = time.process_time()
    assert mistake_of(text)
    assert time.process_time() - before < 3  # milliseconds on an idle machine; without a bound, minutes or the memory


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ branch['__class__'] }}",
        "{{ commit.__init__.__globals__ }}",
        "{{ vars.keys }}",
        "{{ names }}",
        "{{ names_used }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ branch | attr('__class__') }}",
        "{{ branch | map('upper') }}",
        "{{ environment }}",
        "{{ ()|d(**vars) }}",
    ],
)
def test_nothing_is_reachable_that_was_not_handed_in(text):
    assert mistake_of(text)


def test_what_comes_out_is_not_rendered_again():
    assert render("{{ commit }}", Names({"commit": "{{ branch }}", "branch": "x"})) == "{{ branch }}"


def test_a_template_says_which_names_it_uses():
    assert names_used("{{ vars.a ~ (commit.id if tag is defined else env.X) }}") == {"vars", "commit", "tag", "env"}


def test_text_without_braces_is_no_template():
    assert not is_template("100% { sure } {# yes #}")


def test_jinja_is_imported_only_for_a_template():
    program = (
        "import sys\n"
        "from runner.render import manifest\n"
        "text = 'penstock: v1\\napplication: NAME\\nplatform: Server\\n'\n"
        "text += 'deployment_groups: {a: {targets: {tags: {b: c}}}}\\n'\n"
        "assert manifest.check({'penstock.yaml': text.replace('NAME', 'shop')}) == []\n"
        "heavy = ('jinja2', 'boto3', 'pygit2', 'structlog', 'sqlalchemy', 'watchdog', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "assert manifest.check({'penstock.yaml': text.replace('NAME', '\"{{ repository }}\"')}) == []\n"
        "print('jinja2' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\nTrue\n", "")


WORDS = (
    "commit .id .message branch vars vars.count [ ] ( ) 1 0 'a' \"b\" , | upper replace default join + - * / // "
    "% ** ~ == < in not and or if else is defined : { } {{ }} {% %} true none _ .__class__ 9e9"
)

EXPRESSIONS = st.lists(
    st.sampled_from(WORDS.split()),
    max_size=14,
)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS)
def test_any_expression_is_text_or_a_clear_mistake(pieces):
    try:
        assert isinstance(render("{{ " + " ".join(pieces) + " }}", NAMES), str)
    except TemplateMistake as mistake:
        assert mistake.message
