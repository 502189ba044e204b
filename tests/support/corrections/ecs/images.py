"""What runs for a container: the command that a test has told for its image, or `answerer.py`."""

import sys
from pathlib import Path
from typing import Any

_ANSWERER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("answerer.py"))]
_commands: dict[str, list[str]] = {}


def run_image(image: str, command: list[str]) -> None:
    """Let *command* run for every container of *image*: "repo", "repo:tag" or "repo@sha256:...", the closest is taken.

    The command learns HOST and PORT (where to listen), TASK_DEFINITION ("family:revision"), and the container's own
    environment.
    """
    _commands[image] = command


def command_for(image: str) -> list[str]:
    for known in (image, _without_tag(image)):
        if known in _commands:
            return _commands[known]
    return _ANSWERER


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: str(each["value"]) for each in container.get("environment") or []}


def forget() -> None:
    _commands.clear()


def _without_tag(image: str) -> str:
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
