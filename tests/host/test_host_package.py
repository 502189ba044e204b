"""The host's package as a whole: what it is written in, and how it starts."""

import ast
import json
import marshal
import subprocess
import sys
from pathlib import Path

import pytest

import runner.host
from runner.host import modules
from runner.host.outcome import Failure
from runner.host.request import Request
from runner.platforms.server.ssh.archive import archive

FOLDER = Path(runner.host.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_module_is_python_3_8_and_imports_only_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.startswith("runner.host") or name.split(".")[0] in sys.stdlib_module_names


def test_an_unknown_verb_is_refused() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(FOLDER), "nonsense"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: hub | session\n")


def test_a_session_can_be_held_over_standard_input_and_output(tmp_path: Path) -> None:
    request = {
        "deployment": "d-1",
        "group_id": "g",
        "application": "shop",
        "group": "production",
        "event": "ApplicationStop",
        "attempt": 1,
        "folder": str(tmp_path),
        "appspec": {},
        "bundle": {"path": "", "type": "tgz", "sha256": ""},
    }
    lines = (
        json.dumps({"id": 7, "run": request}) + "\n" + json.dumps({"id": 8, "run": {**request, "event": "X"}}) + "\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(FOLDER), "session"], input=lines, capture_output=True, text=True
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["id"], first["end"]["succeeded"]) == (7, True)
    assert (second["id"], second["end"]["succeeded"]) == (8, False)


@pytest.mark.parametrize(
    "value", [{}, {"deployment": "../x"}, {"deployment": "d", "group_id": ".."}, {"deployment": 5}]
)
def test_a_request_that_makes_no_sense_is_a_failure(value: dict[str, object]) -> None:
    with pytest.raises(Failure, match="did not understand the request"):
        Request.from_json(value)


def placed(folder: Path) -> Path:
    """The executor as it stands on a host."""
    for name, content in archive().files.items():
        (folder / name).write_bytes(content)
    return folder


def started(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments, "session", "hello"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_the_zipapp_runs_as_it_is(tmp_path: Path) -> None:
    place = placed(tmp_path)
    assert started(place, str(place / "penstock-host.pyz")).stdout == '\n{"penstock": "hello"}\n'


def codes(content: bytes) -> dict[str, object]:
    """What is compiled. Its bytes differ from process to process: `marshal` notes who else knows a string."""
    return {name: (is_package, marshal.loads(code)) for name, (is_package, code) in marshal.loads(content).items()}


@pytest.mark.parametrize("damage", [None, b"", b"damaged", archive().files[modules.file_name()][:5000]])
def test_starts_beside_its_zipapp_whatever_has_become_of_the_compiled_modules(
    tmp_path: Path, damage: bytes | None
) -> None:
    place = placed(tmp_path)
    compiled = place / modules.file_name()
    compiled.unlink()
    if damage is not None:
        compiled.write_bytes(damage)
    assert started(place, str(place / "start.py")).stdout == '\n{"penstock": "hello"}\n'
    assert codes(compiled.read_bytes()) == codes(archive().files[modules.file_name()])  # made anew, for the next time


def test_nothing_comes_from_the_sources_while_the_compiled_modules_are_sound(tmp_path: Path) -> None:
    place = placed(tmp_path)
    (place / "penstock-host.pyz").unlink()
    assert started(place, str(place / "start.py")).stdout == '\n{"penstock": "hello"}\n'


def test_starts_without_what_takes_long_to_import(tmp_path: Path) -> None:
    place = placed(tmp_path)
    said = started(place, "-X", "importtime", str(place / "start.py")).stderr
    loaded = {line.rpartition("|")[2].strip() for line in said.splitlines()}
    assert "runner.host.session" in loaded
    assert not loaded & {
        "re",
        "json",
        "typing",
        "enum",
        "hashlib",
        "shutil",
        "subprocess",
        "tarfile",
        "socket",
        "signal",
    }
