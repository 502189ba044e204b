"""A process that carries a deployment to function `resize` through, act by act: `python function_run.py STATE VERSION`.

*STATE*: the file that stands for the database: what was reported so far. *VERSION*: of the object in S3. Killed and
started again, it goes on as the engine does: the act that was under way is done again. It begins once it is sent a line.
"""

import asyncio
import sys
from pathlib import Path

from function_cases import CODE, FORM, PUBLISH, Deployment, job, shift

from runner.aws import Aws
from runner.model.functions import LambdaState
from runner.model.value import from_json, to_json
from runner.platforms.functions.pace import Pace

ACTS = (PUBLISH, shift(10), shift(60), shift(100))


async def main(file: Path, version: str) -> None:
    code = CODE.__class__(bucket=CODE.bucket, key=CODE.key, bundle_type="zip", etag="e", version=version)
    asked = job(FORM.__class__(function="resize", alias="live", code=code))
    done = file.read_text().splitlines() if file.exists() else []
    left = from_json(done[-1], LambdaState) if done else None
    made = Deployment(Aws(), Pace(again=0.05, slow=0.1), asked, left)
    if not done:
        done = [to_json(made.state)]
        _keep(file, done)
    for act in ACTS[len(done) - 1 :]:
        outcome = await made.act(act)
        assert outcome.succeeded, outcome
        done.append(to_json(made.state))
        _keep(file, done)


def _keep(file: Path, done: list[str]) -> None:
    new = file.with_suffix(".new")
    new.write_text("\n".join(done))
    new.replace(file)


if __name__ == "__main__":
    sys.stdin.readline()  # until whoever started it is ready
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
