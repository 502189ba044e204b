"""One act in a process of its own: FOLDER/task.json in, FOLDER/outcome.json out. Begins when its standard input closes."""

import asyncio
import datetime as dt
import sys
from pathlib import Path
from typing import Any

from runner.aws import Aws
from runner.model.program import Task
from runner.model.value import from_json, to_json
from runner.platforms.services import ServicePlatform

PACE: dict[str, Any] = {"every": 0.05, "settle": 0.3, "limit": dt.timedelta(seconds=60)}  # the cloud's states move fast


def main(folder: Path) -> None:
    task = from_json((folder / "task.json").read_bytes(), Task)
    platform = ServicePlatform(Aws(), **PACE)
    sys.stdin.read()
    outcome = asyncio.run(platform.act(task, lambda line: None))
    new = folder / "outcome.new"
    new.write_text(to_json(outcome))
    new.replace(folder / "outcome.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
