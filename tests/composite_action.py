"""Runs a composite action as GitHub's runner does: `action.yml`'s own steps in bash, file commands, workflow commands.

Of the runner's expressions it knows what our action uses: properties, texts, `==`, `!=`, `||`, `&&`, `success()`. A step
whose id is in *done* is not run again: its outputs are taken instead. Sources: GitHub's "Workflow commands for GitHub
Actions" and "Metadata syntax"; the runner, whose older `##[name]` is found anywhere in a line.
"""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import processes
import yaml

SETUP_PYTHON = re.compile(r"actions/setup-python@[0-9a-f]{40}")
_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\|\||&&|==|!=|\(|\)|[A-Za-z_][\w-]*(?:\.[\w-]+)*)")
_NEW = re.compile(r"\s*::(?P<name>[\w-]+)(?: (?P<properties>.*?))?::(?P<data>.*)", re.DOTALL)
_OLD = re.compile(r"##\[(?P<name>[\w-]+)(?: (?P<properties>[^\]]*))?\](?P<data>.*)", re.DOTALL)


class Command(NamedTuple):
    """A workflow command as the runner understands it."""

    name: str
    properties: dict[str, str]
    data: str


class Ended(NamedTuple):
    """*log*: what people see, masked. *steps*: id to its outputs."""

    succeeded: bool
    outputs: dict[str, str]
    summary: str
    commands: list[Command]
    log: list[str]
    steps: dict[str, dict[str, str]]

    def named(self, *names: str) -> list[Command]:
        return [each for each in self.commands if each.name in names]


class Running(NamedTuple):
    """A step's process, for whoever wants to cancel it, and where it writes its summary."""

    pid: int
    summary: Path


class Composite:
    """An action at *folder*, in a job whose checkout is *workspace*."""

    def __init__(self, folder: Path, workspace: Path, temp: Path, github: Mapping[str, str]) -> None:
        self.folder, self.workspace, self.temp = folder, workspace, temp
        self.definition: dict[str, Any] = yaml.safe_load((folder / "action.yml").read_text())
        assert self.definition["runs"]["using"] == "composite"
        self._github = {"workspace": str(workspace), "action_path": str(folder), **github}

    def run(
        self,
        inputs: Mapping[str, str],
        *,
        environment: Mapping[str, str] | None = None,
        done: Mapping[str, dict[str, str]] | None = None,
        heard: Callable[[str, Running], None] = lambda line, running: None,
    ) -> Ended:
        """*heard* gets each line of the log as it comes, and the process that wrote it."""
        return _Job(self, inputs, environment or {}, dict(done or {}), heard).run()

    def environment(self) -> dict[str, str]:
        """Of a job; nothing of what this test is about leaks in."""
        ours = ("INPUT_", "GITHUB_", "PENSTOCK_", "AWS_", "PYTEST_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        github = {f"GITHUB_{name.upper()}": value for name, value in self._github.items()}
        return {**kept, **github, "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temp)}

    def context(self, inputs: Mapping[str, str], steps: Mapping[str, dict[str, str]]) -> dict[str, Any]:
        declared = self.definition["inputs"]
        assert inputs.keys() <= declared.keys(), "the runner warns of inputs that an action does not have"
        defaults = {name: str(each.get("default", "")) for name, each in declared.items()}
        outputs = {name: {"outputs": of} for name, of in steps.items()}
        return {"inputs": {**defaults, **inputs}, "github": self._github, "steps": outputs}


class _Job:
    def __init__(
        self,
        action: Composite,
        inputs: Mapping[str, str],
        environment: Mapping[str, str],
        done: dict[str, dict[str, str]],
        heard: Callable[[str, Running], None],
    ) -> None:
        self._action, self._inputs, self._steps, self._heard = action, inputs, done, heard
        self._environment = {**action.environment(), **environment}
        self._summary, self._commands, self._log = "", list[Command](), list[str]()
        self._masks: list[str] = []
        self._failed = False

    def run(self) -> Ended:
        for number, step in enumerate(self._action.definition["runs"]["steps"]):
            name = step.get("id", f"step-{number}")
            if name in self._steps:
                continue
            context = self._context()
            if not _truth(evaluate(_condition(step), context)):
                self._steps[name] = {}
            elif "uses" in step:
                self._steps[name] = _used(step)
            else:
                self._steps[name] = self._run(step, context)
        outputs = self._action.definition["outputs"]
        context = self._context()
        return Ended(
            not self._failed,
            {name: substituted(each["value"], context) for name, each in outputs.items()},
            self._summary,
            self._commands,
            self._log,
            self._steps,
        )

    def _context(self) -> dict[str, Any]:
        return {**self._action.context(self._inputs, self._steps), "failed": self._failed}

    def _run(self, step: dict[str, Any], context: dict[str, Any]) -> dict[str, str]:
        folder = self._action.temp / secrets.token_hex(8)
        folder.mkdir(parents=True)
        files = {name: folder / name for name in _FILES}
        for file in files.values():
            file.touch()
        script = folder / "step.sh"
        script.write_text(substituted(step["run"], context))
        assert step["shell"] == "bash"
        given = {name: substituted(str(value), context) for name, value in step.get("env", {}).items()}
        environment = {**self._environment, **given, **{name: str(file) for name, file in files.items()}}
        if self._watched(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], environment, files) != 0:
            self._failed = True
        self._environment.update(assignments(files["GITHUB_ENV"].read_text()))
        self._summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return assignments(files["GITHUB_OUTPUT"].read_text())

    def _watched(self, argv: list[str], environment: dict[str, str], files: Mapping[str, Path]) -> int:
        """Both streams as one, in lines as .NET reads them."""
        with subprocess.Popen(
            argv,
            cwd=self._action.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:  # universal newlines: CR ends a line, too
                    self._take(line.removesuffix("\n"))
                    self._heard(line, Running(process.pid, files["GITHUB_STEP_SUMMARY"]))
                return process.wait(60)
            finally:
                processes.kill(process.pid, parent=os.getpid())

    def _take(self, line: str) -> None:
        if command := found_in(line):
            if command.name == "add-mask":
                self._masks.append(command.data)
                return
            self._commands.append(command)
        for mask in self._masks:
            line = line.replace(mask, "***")
        self._log.append(line)


def found_in(line: str) -> Command | None:
    """The command that the runner would find in one line."""
    if match := _NEW.match(line) or _OLD.search(line):
        pairs = (pair.partition("=") for pair in (match["properties"] or "").split(",") if pair)
        properties = {name.strip(): _plain(value, ("%3A", ":"), ("%2C", ",")) for name, _, value in pairs}
        return Command(match["name"], properties, _plain(match["data"]))
    return None


def _plain(text: str, *more: tuple[str, str]) -> str:
    for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


def assignments(text: str) -> dict[str, str]:
    """A file of `name=value` and `name<<end` ... `end`. Fails for anything else, as the runner does."""
    found, lines = dict[str, str](), text.split("\n")
    while lines:
        line = lines.pop(0)
        if match := re.fullmatch(r"([^=<]+)<<(.+)", line):
            end = lines.index(match[2])
            found[match[1]] = "\n".join(lines[:end])
            del lines[: end + 1]
        elif line:
            name, equals, value = line.partition("=")
            assert name and equals, f"not an assignment: {line!r}"
            found[name] = value
    return found


def substituted(text: str, context: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(evaluate(match[1], context)), text)


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression of the subset."""
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens).replace(" ", "") == expression.replace(" ", ""), f"beyond this subset: {expression}"
    value = _either(tokens, context)
    assert not tokens, f"beyond this subset: {expression}"
    return value


def _either(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _both(tokens, context)
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        other = _both(tokens, context)
        value = value if _truth(value) else other
    return value


def _both(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _compared(tokens, context)
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        other = _compared(tokens, context)
        value = other if _truth(value) else value
    return value


def _compared(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _value(tokens, context)
    while tokens[:1] in (["=="], ["!="]):
        wanted = tokens.pop(0) == "=="
        value = (str(value).lower() == str(_value(tokens, context)).lower()) == wanted
    return value


def _value(tokens: list[str], context: Mapping[str, Any]) -> Any:
    token = tokens.pop(0)
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if token == "(":
        value = _either(tokens, context)
        assert tokens.pop(0) == ")"
        return value
    if token == "success":
        assert (tokens.pop(0), tokens.pop(0)) == ("(", ")")
        return not context["failed"]
    value = context
    for name in token.split("."):
        value = value.get(name, "") if isinstance(value, Mapping) else ""
    return value


def _truth(value: Any) -> bool:
    return value not in ("", None, False)


def _condition(step: Mapping[str, Any]) -> str:
    return f"success() && ({step['if']})" if "if" in step else "success()"


def _used(step: Mapping[str, Any]) -> dict[str, str]:
    """What stands in for actions/setup-python: the interpreter of this test."""
    assert SETUP_PYTHON.fullmatch(step["uses"]), step["uses"]
    return {"python-path": sys.executable}
