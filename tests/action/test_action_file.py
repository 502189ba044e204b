"""`action.yml` and the example workflows, as far as they can be judged without being run."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from action_cases import ACTION
from composite_action import SETUP_PYTHON, assignments, evaluate, found_in

DEFINITION: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text())
STEPS: list[dict[str, Any]] = DEFINITION["runs"]["steps"]
PAGE = (ACTION / "docs" / "github-action.md").read_text()
WORKFLOWS = sorted((ACTION / "docs" / "examples" / "workflows").glob("*.yml"))
PINNED = re.compile(r"(?P<name>[\w.-]+/[\w./-]+)@[0-9a-f]{40}")


def check_schema(schema: str, file: Path) -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([str(checker), "--builtin-schema", schema, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_an_action_by_githubs_schema() -> None:
    check_schema("vendor.github-actions", ACTION / "action.yml")


def test_every_output_is_one_of_a_step_that_exists_and_is_written_by_it(first) -> None:
    for name, each in DEFINITION["outputs"].items():
        match = re.fullmatch(r"\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}", each["value"])
        assert match, name
        assert match[2] in first.ended.steps[match[1]], name


def test_no_expression_is_pasted_into_a_script() -> None:
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_nothing_is_used_but_setup_python_pinned_by_commit() -> None:
    assert all(SETUP_PYTHON.fullmatch(step["uses"]) for step in STEPS if "uses" in step)


def test_the_deployment_takes_the_place_of_the_shell_that_the_runner_signals() -> None:
    assert STEPS[-1]["run"].startswith("exec ")


def test_every_input_reaches_a_step_and_is_on_the_page() -> None:
    used = yaml.safe_dump(STEPS)
    for name in DEFINITION["inputs"]:
        assert f"inputs.{name}" in used, name
        assert f"`{name}`" in PAGE, name


def test_every_variable_of_the_deployment_is_read() -> None:
    source = (ACTION / "runner" / "cli" / "action" / "inputs.py").read_text()
    given = [name.removeprefix("INPUT_").lower() for name in STEPS[-1]["env"] if name.startswith("INPUT_")]
    assert given
    assert [name for name in given if f'"{name}"' not in source] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_example_is_a_workflow_by_githubs_schema(file: Path) -> None:
    check_schema("vendor.github-workflows", file)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_example_gives_the_action_inputs_that_it_has_and_pins_the_others(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    steps = [step for job in jobs for step in job["steps"] if "uses" in step]
    ours = [step for step in steps if step["uses"].startswith("acme/penstock@")]
    assert ours
    for step in ours:
        assert step["with"].keys() <= DEFINITION["inputs"].keys()
    assert all(PINNED.fullmatch(step["uses"]) for step in steps if step not in ours)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_example_pastes_no_expression_into_a_script(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    assert not [step for job in jobs for step in job["steps"] if "${{" in step.get("run", "")]


def test_there_is_an_example_for_each_platform_and_for_a_server() -> None:
    assert {file.stem for file in WORKFLOWS} == {"servers", "lambda", "ecs", "remote"}
    assert all(f"examples/workflows/{file.name}" in PAGE for file in WORKFLOWS)


# The runner in these tests is a judge, so it is judged, too.


def test_the_runner_finds_commands_where_githubs_does() -> None:
    assert found_in("  ::error file=a%2Cb.yml,line=3::one%0Atwo") == (
        "error",
        {"file": "a,b.yml", "line": "3"},
        "one\ntwo",
    )
    assert found_in("said ##[set-env name=x]y") == ("set-env", {"name": "x"}, "y")
    assert found_in("said ::error::no") is None


def test_the_runner_reads_heredocs_and_refuses_what_is_no_assignment() -> None:
    assert assignments("a=1\nb<<E\nx\ny=2\nE\n") == {"a": "1", "b": "x\ny=2"}
    with pytest.raises(AssertionError, match="not an assignment"):
        assignments("loose words\n")


def test_the_runner_evaluates_what_the_action_asks() -> None:
    context = {"inputs": {"python": ""}, "steps": {"python": {"outputs": {"python-path": "/p"}}}, "failed": False}
    assert evaluate("inputs.python == ''", context) is True
    assert evaluate("inputs.python || steps.python.outputs.python-path", context) == "/p"
    assert evaluate("success() && (inputs.python != '')", context) is False
