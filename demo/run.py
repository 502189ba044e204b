"""`make demo`: deploy a small application for real, break it, and watch it being rolled back.

Makes everything in a temporary folder, runs the real `penstock serve`, and ends with status 0 only if the running
applications themselves have said all that is claimed. Options: `--keep` leaves the folder and the applications.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from place import HERE, Host, Place
from program import DemoFailed, Program
from rich.console import Console
from witness import Answer, Witness, ask, summary

GROUPS = ("staging", "production")


class Demo:
    """The story, told while it happens."""

    def __init__(self, place: Place, program: Program, console: Console) -> None:
        self.place, self.program, self.console = place, program, console
        self.witness = Witness(console)
        self.names: dict[str, str] = {}  # commit ID to what the story calls it

    def tell(self) -> None:
        self.a_good_commit()
        staging = self.a_bad_commit()
        self.an_operator(staging)
        self.the_end()

    def a_good_commit(self) -> None:
        self.heading("1. A commit is pushed. It goes to staging, and from there to production, half at a time.")
        self.first, deployments = self.push(HERE / "shop", "Open the shop", "first")
        self.follow(*deployments.values())
        for group, deployment in deployments.items():
            self.expect_status(f"the deployment to {group}", deployment, "Succeeded")
        self.expect_everywhere("every application answers with the first commit, and sells", self.place.hosts)

    def a_bad_commit(self) -> str:
        """Returns the ID of its deployment to staging."""
        self.heading("2. A second commit is pushed. It works in staging, but not in production.")
        self.second, deployments = self.push(HERE / "second-commit", "Prices in the currency of the stage", "second")
        self.follow(*deployments.values())
        failed = self.describe(deployments["production"])
        self.expect_status("the deployment to staging", deployments["staging"], "Succeeded")
        self.expect_status("the deployment to production", deployments["production"], "Failed")
        self.expect_failure(failed)
        rollback = failed["deployment"].get("rollback", {}).get("rollback_deployment_id")
        if rollback is None:
            raise DemoFailed(f"{deployments['production']} was not rolled back")

        self.heading("3. Penstock rolls production back by itself, to the last revision that succeeded there.")
        self.follow(rollback)
        self.expect_status("the rollback", rollback, "Succeeded")
        creator = self.describe(rollback)["deployment"]["creator"]
        self.witness.expect(f"nobody asked for it: its creator is {creator}", creator, "codeDeployRollback")
        self.expect_everywhere("production answers with the first commit, and sells", self.production)
        for names, commits in (((1, 2), "first > second > first"), ((3, 4), "first > first")):
            asked = [host for host in self.production if host.name in {f"production-{number}" for number in names}]
            claim = f"{' and '.join(host.name for host in asked)} ran {commits}"
            self.witness.expect(claim, {self.history(ask(host)) for host in asked}, {commits})
        return deployments["staging"]

    def an_operator(self, staging: str) -> None:
        self.heading("4. Staging succeeded with the second commit, so it still has it. An operator takes it back.")
        self.expect_everywhere("staging answers with the second commit", self.staging, self.second)
        self.console.print(f"  $ penstock rollback {staging}", style="bold")
        if self.program.show("rollback", staging):
            raise DemoFailed(f"penstock rollback {staging} failed")
        newest = self.program.ask("list", "--application", "shop", "--group", "staging")[0]
        self.follow(newest["id"])
        self.expect_status("the operator's rollback", newest["id"], "Succeeded")

    def the_end(self) -> None:
        self.heading("5. The applications have the last word.")
        answers = {host: ask(host) for host in self.place.hosts}
        statuses = {each["id"]: each["status"] for each in self.program.ask("list", "--application", "shop")}
        self.console.print(summary(answers, self.first, self.names, statuses))
        self.expect_everywhere("every application answers with the first commit, and sells", self.place.hosts)

    @property
    def staging(self) -> list[Host]:
        return [host for host in self.place.hosts if host.stage == "staging"]

    @property
    def production(self) -> list[Host]:
        return [host for host in self.place.hosts if host.stage == "production"]

    def heading(self, text: str) -> None:
        self.console.print(f"\n{text}", style="bold cyan")

    def push(self, files: Path, message: str, name: str) -> tuple[str, dict[str, str]]:
        commit = self.place.push(files, message)
        self.names[commit] = name
        self.console.print(f'  $ git commit -m "{message}" && git push', style="bold")
        self.console.print(f"  main is now {commit[:10]}, the {name} commit")
        found = self.program.deployments_of(commit, GROUPS)
        return commit, {group: found[group] for group in GROUPS}

    def follow(self, *deployments: str) -> None:
        """Show each to its end; how that was is judged by asking, not by the exit status."""
        for deployment in deployments:
            self.program.show("show", deployment, "--follow")

    def describe(self, deployment: str) -> Any:
        return self.program.ask("show", deployment)

    def expect_status(self, what: str, deployment: str, status: str) -> None:
        seen = self.describe(deployment)["deployment"]["status"]
        self.witness.expect(f"{what}, {deployment}, is {status}", seen, status)

    def expect_failure(self, failed: Any) -> None:
        targets = {target["id"]: target["status"] for target in failed["targets"]}
        wanted = dict.fromkeys(("production-1", "production-2"), "Failed")
        wanted |= dict.fromkeys(("production-3", "production-4"), "Skipped")
        self.witness.expect("two hosts failed; the other two were not touched and are Skipped", targets, wanted)

    def expect_everywhere(self, claim: str, hosts: "list[Host] | tuple[Host, ...]", commit: str = "") -> None:
        seen = {host.name: (answer.commit[:10], answer.sells) for host in hosts for answer in [ask(host)]}
        wanted = {host.name: ((commit or self.first)[:10], True) for host in hosts}
        self.witness.expect(claim, seen, wanted)

    def history(self, answer: Answer) -> str:
        return " > ".join(self.names.get(commit, commit[:10]) for commit in answer.commits)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__, add_help=True)
    parser.add_argument("--keep", action="store_true", help="leave the folder and the running applications")
    keep = parser.parse_args().keep
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        contradictions = run(console, keep=keep)
    except DemoFailed as error:
        contradictions = [str(error)]
    except KeyboardInterrupt:
        console.print("\nThe demo was interrupted.", style="bold red")
        return 130
    took = f"{time.monotonic() - began:.0f} s"
    if contradictions:
        console.print(f"\nThe demo failed after {took}:", *contradictions, sep="\n  ", style="bold red", markup=False)
        return 1
    console.print(f"\nAll of this was observed by asking the running applications; it took {took}.", style="bold green")
    return 0


def run(console: Console, *, keep: bool) -> list[str]:
    """Tell the story in a place of its own. Returns what was not as claimed; leaves nothing behind unless *keep*."""
    place = Place(Path(tempfile.mkdtemp(prefix="penstock-demo-")))
    console.print(f"Everything happens in {place.folder}: a bare git repository and five hosts, each a folder.")
    with ExitStack() as stack:
        if keep:
            stack.callback(console.print, f"Kept, with the applications running: {place.folder}")
        else:
            stack.callback(shutil.rmtree, place.folder, ignore_errors=True)
            stack.callback(place.end_applications)
        place.prepare()
        demo = Demo(place, stack.enter_context(Program(place)), console)
        demo.tell()
        return demo.witness.contradictions


if __name__ == "__main__":
    sys.exit(main())
