"""`make demo`: deploy a small application for real, break it, and watch it being rolled back.

Makes everything in a temporary folder, runs the real `penstock serve`, and ends with status 0 only if the running
applications themselves, and `penstock --output json`, say all that is claimed.
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

from live import Screen
from place import HERE, Host, Place
from program import PATIENCE, DemoFailed, Program
from rich.console import Console
from rich.padding import Padding
from witness import Answer, Witness, ask, summary

GROUPS = ("staging", "production")


class Demo:
    """The story, told while it happens."""

    def __init__(self, place: Place, program: Program, screen: Screen, console: Console) -> None:
        self.place, self.program, self.screen, self.console = place, program, screen, console
        self.witness = Witness(console)
        self.names: dict[str, str] = {}  # commit ID to what the story calls it

    def tell(self) -> None:
        self.a_good_commit()
        deployments = self.a_bad_commit()
        self.why(deployments["production"])
        self.an_operator(deployments["staging"])
        self.the_end()

    def a_good_commit(self) -> None:
        self.heading("1. A commit is pushed. It goes to staging, and from there to production, half at a time.")
        self.first, deployments = self.push(HERE / "shop", "Open the shop", "first")
        for group, deployment in deployments.items():
            self.expect_status(f"the deployment to {group}", deployment, "Succeeded")
        self.expect_everywhere("every application answers with the first commit, and sells", self.place.hosts)

    def a_bad_commit(self) -> dict[str, str]:
        """Returns the IDs of its deployments."""
        self.heading("2. A second commit is pushed. It works in staging, but not in production.")
        self.second, deployments = self.push(HERE / "second-commit", "Prices in the stage's currency", "second")
        failed = self.describe(deployments["production"])
        rollback = failed["deployment"].get("rollback", {}).get("rollback_deployment_id")
        self.expect_status("the deployment to staging", deployments["staging"], "Succeeded")
        self.expect_status("the deployment to production", deployments["production"], "Failed")
        self.expect_two_failed_and_two_skipped(failed)
        if rollback is None:
            raise DemoFailed(f"{deployments['production']} was not rolled back")
        self.expect_status("the automatic rollback", rollback, "Succeeded")
        creator = self.describe(rollback)["deployment"]["creator"]
        self.witness.expect("nobody asked for the rollback", creator, "codeDeployRollback")
        self.expect_history("the hosts that failed had the second commit for a moment", "first > second > first", 1, 2)
        self.expect_history("the hosts that were skipped never had it", "first > first", 3, 4)
        self.expect_everywhere("production answers with the first commit, and sells", self.at("production"))
        return deployments

    def why(self, failed: str) -> None:
        self.heading("3. What went wrong?")
        self.run("show", failed)

    def an_operator(self, staging: str) -> None:
        self.heading("4. Staging succeeded with the second commit, so it still has it. An operator takes it back.")
        self.expect_everywhere("staging answers with the second commit", self.at("staging"), self.second)
        self.run("rollback", staging)
        newest = self.program.ask("list", "--application", "shop", "--group", "staging")[0]
        self.expect_status("the operator's rollback", newest["id"], "Succeeded")

    def the_end(self) -> None:
        self.heading("5. The applications have the last word.")
        answers = {host: ask(host) for host in self.place.hosts}
        statuses = {each["id"]: each["status"] for each in self.program.ask("list", "--application", "shop")}
        self.console.print(Padding(summary(answers, self.first, statuses), (0, 0, 1, 2)))
        self.expect_everywhere("every application answers with the first commit, and sells", self.place.hosts)

    def at(self, stage: str) -> list[Host]:
        return [host for host in self.place.hosts if host.stage == stage]

    def heading(self, text: str) -> None:
        self.console.print(f"\n{text}", style="bold cyan")

    def push(self, files: Path, message: str, name: str) -> tuple[str, dict[str, str]]:
        """Push a commit and watch until all that follows from it has ended. Returns it, and its deployments by group."""
        since = self.screen.now()
        commit = self.place.push(files, message)
        self.names[commit] = name
        self.console.print(
            f'  $ git commit -m "{message}" && git push   # {commit[:10]}, the {name} commit', style="bold"
        )
        deployments = self.screen.follow(commit, GROUPS, since, PATIENCE, self.program.is_running)
        if deployments is None:
            what = f"was not deployed to its end within {PATIENCE} s" if self.program.is_running() else "met no server"
            raise DemoFailed(f"commit {commit[:10]} {what}{self.program.last_words()}")
        return commit, deployments

    def run(self, *arguments: str) -> None:
        """Type a command in front of everybody."""
        self.console.print(f"  $ penstock {' '.join(arguments)}", style="bold")
        if status := self.program.show(*arguments):
            raise DemoFailed(f"penstock {' '.join(arguments)} ended with status {status}")

    def describe(self, deployment: str) -> Any:
        return self.program.ask("show", deployment)

    def expect_status(self, what: str, deployment: str, status: str) -> None:
        seen = self.describe(deployment)["deployment"]["status"]
        self.witness.expect(f"{what}, {deployment}, is {status}", seen, status)

    def expect_two_failed_and_two_skipped(self, failed: Any) -> None:
        seen = {target["id"]: target["status"] for target in failed["targets"]}
        wanted = {"production-1": "Failed", "production-2": "Failed"}
        wanted |= {"production-3": "Skipped", "production-4": "Skipped"}
        self.witness.expect("two hosts failed, and the other two are Skipped", seen, wanted)

    def expect_history(self, claim: str, wanted: str, *numbers: int) -> None:
        hosts = [host for host in self.place.hosts if host.name in {f"production-{number}" for number in numbers}]
        seen = {host.name: self.history(ask(host)) for host in hosts}
        self.witness.expect(f"{claim} ({wanted})", seen, {host.name: wanted for host in hosts})

    def expect_everywhere(self, claim: str, hosts: "list[Host] | tuple[Host, ...]", commit: str = "") -> None:
        answers = {host.name: ask(host) for host in hosts}
        seen = {name: (answer.commit[:10], answer.sells) for name, answer in answers.items()}
        self.witness.expect(claim, seen, {host.name: ((commit or self.first)[:10], True) for host in hosts})

    def history(self, answer: Answer) -> str:
        return " > ".join(self.names.get(commit, commit[:10]) for commit in answer.commits)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the folder and the running applications")
    keep = parser.parse_args().keep
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        contradictions = run(console, keep=keep)
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
        program = stack.enter_context(Program(place))
        screen = Screen(place.state)
        stack.callback(screen.close)
        demo = Demo(place, program, screen, console)
        try:
            demo.tell()
        except DemoFailed as error:
            return [*demo.witness.contradictions, str(error)]
        return demo.witness.contradictions


if __name__ == "__main__":
    sys.exit(main())
