"""What a deployment pays for state that is in no folder: `penstock deploy` with it in S3 and in PostgreSQL on loopback.

Both are the tests': moto and a real PostgreSQL. So this needs a checkout with its `tests`, and the extra `dev`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.measure import Sample, Table, in_turns
from benchmarks.site import GIT, Site, folder

RUNS = 10
HISTORY = 200  # deployments before the size is taken
HOOKED = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
HOOK = "#!/bin/sh\nexit 0\n"
BUCKET = "acme-state"
WHAT, ELSEWHERE = ("penstock deploy", "penstock status"), ("S3", "PostgreSQL")
AGAIN = """
import subprocess, sys
from runner.cli.main import main
for number in range(int(sys.argv[2])):
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", str(number)], check=True)
    assert main(["--config", sys.argv[1], "deploy"]) == 0
"""


def measure(runs: int, *, small: bool = False) -> Table:
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    history = 3 if small else HISTORY
    with folder() as place, _places(place) as places:
        cases = [_Case(place / name.split()[-1], name, environ) for name, environ in places.items()]
        for case in cases:
            case.penstock("deploy")  # what is measured is never the very first time
        rows = in_turns([case.deploy for case in cases], runs)
        written = [case.grown() for case in cases[1:]]
        for case in cases:
            case.go_on(history)
        rows |= in_turns([case.look for case in cases], runs)
        sizes = [f"{case.size() / 1e6:.2f} MB in {case.name}" for case in cases[1:]]
    return Table(
        title="state",
        about="`penstock deploy` to one local host with five scripts, whole processes. S3 is the tests' moto, whose own "
        f"time is in there (some 10 ms a request). A deployment wrote {'; '.join(written)}. Then, with "
        f"{history} deployments more, the state (bundles of 200 kB left out) was {'; '.join(sizes)}.",
        rows=rows,
        floors={f"{what}, state in {name}": f"{what}, state in a folder" for what in WHAT for name in ELSEWHERE},
    )


@contextmanager
def _places(place: Path) -> Iterator[Mapping[str, dict[str, str]]]:
    """Where the state is, to what says so in the environment."""
    import boto3
    import moto_server
    from postgresql_server import running_postgresql

    with moto_server.running_moto() as endpoint, running_postgresql() as server:
        aws = moto_server.environment(endpoint)
        os.environ.update(aws)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield {
            "a folder": {"PENSTOCK_STATE": str(place / "state")},
            "S3": {"PENSTOCK_STATE": f"s3://{BUCKET}/shop", **aws},
            "PostgreSQL": {"PENSTOCK_STATE": server.new_database("state")},
        }


class _Case:
    def __init__(self, place: Path, name: str, environ: Mapping[str, str]) -> None:
        self._site = Site(place, hosts=1, hook=HOOK, hooked=HOOKED)
        self._site.repository.commit()
        self.name, self._environ = name, {**os.environ, **GIT, **environ}
        self._url = environ["PENSTOCK_STATE"]

    def penstock(self, verb: str) -> float:
        """Run it; seconds."""
        return self._run([sys.executable, "-m", "runner", "--config", str(self._site.config), verb])

    def deploy(self) -> dict[str, Sample]:
        self._site.repository.commit()
        return {f"penstock deploy, state in {self.name}": Sample(self.penstock("deploy"))}

    def look(self) -> dict[str, Sample]:
        return {f"penstock status, state in {self.name}": Sample(self.penstock("status"))}

    def go_on(self, deployments: int) -> None:
        """In one process, which is quicker."""
        self._run([sys.executable, "-c", AGAIN, str(self._site.config), str(deployments)])

    def grown(self) -> str:
        """By one more deployment."""
        before = self._sizes("log/")
        self.deploy()
        fresh = {name: size for name, size in self._sizes("log/").items() if name not in before}
        return f"{len(fresh)} pieces of together {sum(fresh.values()) / 1000:.0f} kB to {self.name}"

    def size(self) -> float:
        return sum(size for name, size in self._sizes("").items() if not name.startswith("bundles/"))

    def _sizes(self, prefix: str) -> dict[str, int]:
        from runner.store.elsewhere.address import objects_at

        with closing(objects_at(self._url)) as objects:
            found = {name: objects.find(name) for name in objects.names(prefix)}
        return {name: len(each.content) for name, each in found.items() if each is not None}

    def _run(self, command: list[str]) -> float:
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=self._site.repository.folder, env=self._environ, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return time.monotonic() - begun
