"""Asks the running applications what they are, and notes every claim of the demo that does not hold."""

import json
import urllib.request
from typing import Any, NamedTuple

from place import Host
from rich.console import Console
from rich.table import Table

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxies are set


class Answer(NamedTuple):
    """What a shop says. *started*: which commits were ever started on its host, and by which deployments, in order."""

    commit: str
    started: tuple[tuple[str, str], ...]
    sells: bool  # its front page answers

    @property
    def deployment(self) -> str:
        return self.started[-1][1] if self.started else "-"

    @property
    def commits(self) -> list[str]:
        return [commit for commit, _ in self.started]


class Witness:
    """Keeps count of what was claimed and what was not so."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.contradictions: list[str] = []

    def expect(self, claim: str, seen: Any, wanted: Any) -> None:
        """Check a claim, and say so."""
        if seen == wanted:
            self._console.print(f"  [green]✓[/] {claim}")
        else:
            self.contradictions.append(f"{claim}: expected {wanted}, but it is {seen}")
            self._console.print(f"  [bold red]✗[/] {self.contradictions[-1]}")


def ask(host: Host) -> Answer:
    """Ask the shop on *host* over HTTP; an empty answer when it gives none."""
    try:
        said = _get(host, "/version")
    except OSError as error:
        return Answer(f"no answer: {error}", (), False)
    try:
        sells = bool(_get(host, "/"))
    except OSError:
        sells = False
    return Answer(said["commit"], tuple((each["commit"], each["deployment"]) for each in said["started"]), sells)


def summary(answers: dict[Host, Answer], wanted: str, statuses: dict[str, str]) -> Table:
    """The last word: each host's own answer beside what is expected. *statuses*: of all deployments, by ID."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("HOST", "ANSWERS", "EXPECTED", "FRONT PAGE", "DEPLOYMENT", "STATUS", ""):
        table.add_column(heading, no_wrap=True)
    for host, answer in answers.items():
        status = statuses.get(answer.deployment, "unknown")
        right = answer.commit == wanted and answer.sells and status == "Succeeded"
        mark = "[green]✓[/]" if right else "[bold red]✗[/]"
        page = "works" if answer.sells else "fails"
        table.add_row(host.name, answer.commit[:10], wanted[:10], page, answer.deployment, status, mark)
    return table


def _get(host: Host, path: str) -> Any:
    with _DIRECT.open(f"http://127.0.0.1:{host.port}{path}", timeout=5) as answer:
        return json.load(answer)
