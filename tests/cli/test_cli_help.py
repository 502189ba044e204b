import subprocess
import sys

import pytest
from cli_cases import Penstock

from runner.cli import exits
from runner.cli.verbs import SUMMARIES, load

HEAVY = (
    *("sqlalchemy", "alembic", "boto3", "botocore", "pygit2", "structlog", "rich", "watchdog", "starlette", "uvicorn"),
    *("asyncio", "urllib3"),
)
HEAVIER_THAN_HELP = (*HEAVY, "jinja2", "msgspec", "yaml", "jsonschema_rs")


@pytest.mark.parametrize("verb", SUMMARIES)
def test_the_help_of_every_verb_explains_it_and_shows_an_example(verb: str, penstock: Penstock) -> None:
    said = penstock(verb, "--help")
    assert said.status == exits.FINE
    assert " ".join(load(verb).DESCRIPTION.split()) in " ".join(said.out.split())
    example = said.out.split("example:\n")[1]
    assert f"penstock {verb}" in example or f"json {verb}" in example or f"toml {verb}" in example


def test_the_help_lists_every_verb_and_every_exit_status(penstock: Penstock) -> None:
    said = penstock("--help")
    assert said.status == exits.FINE
    assert all(f"\n    {verb} " in said.out for verb in SUMMARIES)
    assert all(f"{status:>5}  {meaning}\n" in said.out for status, meaning in exits.MEANINGS.items())


def imported(*arguments: str) -> set[str]:
    """Top-level modules that a command ends with, in a process of its own."""
    code = (
        "import contextlib, io, sys\nfrom runner.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): main({list(arguments)!r})\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("--help",), ("deploy", "--help"), ("--version",)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments) & set(HEAVIER_THAN_HELP)


def test_validate_imports_nothing_that_it_does_not_need(penstock: Penstock) -> None:
    penstock.checkout()
    loaded = imported("validate", str(penstock.here))
    assert "jsonschema_rs" in loaded
    assert not loaded & set(HEAVY)


def test_global_options_stand_before_the_verb_or_behind_it(penstock: Penstock) -> None:
    before, behind = penstock("--output", "json", "list"), penstock("list", "--output", "json")
    assert before == behind
    assert before.json == []


def test_an_unknown_verb_is_the_users_mistake_and_the_known_ones_are_named(penstock: Penstock) -> None:
    said = penstock("depoly")
    assert said.status == exits.USERS_MISTAKE
    assert "'deploy'" in said.err
