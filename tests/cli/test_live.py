"""The live table, drawn on a terminal in memory from journals that a real store has written."""

import datetime as dt
import io

import pyte
import pytest
from rich.console import Console
from store_cases import World, group, manifest

from runner.cli.board import Board
from runner.cli.live import LiveView
from runner.model.rollout import BatchStep, HoldStep, Rollout, Share

pytestmark = pytest.mark.usefixtures("utc")


class Terminal:
    """A terminal with a live view of a world's journal."""

    def __init__(self, world: World, *, rows: int = 20, columns: int = 100) -> None:
        self.world, self.seen = world, 0
        self.screen = pyte.Screen(columns, rows)
        self.file = io.StringIO()
        self.board = Board()
        console = Console(
            file=self.file, force_terminal=True, width=columns, height=rows, legacy_windows=False, _environ={}
        )
        self.view = LiveView(self.board, console, world.store.events, lambda: world.now)

    def look(self) -> list[str]:
        """Show what is new; returns the lines that are on the screen, IDs replaced by A, B, C."""
        entries = self.world.store.journal_after(self.seen)
        for entry in entries:
            rollout = self.board.apply(entry)
            if entry.kind == "deployment started":
                rollout.expect(target.id for target in self.world.store.targets(entry.deployment_id))
            self.seen = entry.id
        self.view.show(entries)
        self.view.tick()
        return self.lines()

    def lines(self) -> list[str]:
        pyte.Stream(self.screen).feed(self.file.getvalue().replace("\n", "\r\n"))
        self.file.truncate(0)
        self.file.seek(0)
        text = "\n".join(line.rstrip() for line in self.screen.display)
        for letter, deployment in zip("ABCDEF", reversed(self.world.store.deployments()), strict=False):
            text = text.replace(deployment.id, letter)
        return [line for line in text.splitlines() if line]


def test_hosts_and_lifecycle_events_are_marks_and_the_hold_counts_down(world: World) -> None:
    steps = (BatchStep(size=Share(value=1)), HoldStep(duration=dt.timedelta(minutes=5)), BatchStep(size=Share(value=1)))
    world.push("1", manifest(group("staging", rollout=Rollout(name="careful", steps=steps))))
    world.settle()
    terminal = Terminal(world)
    world.tick(60)
    assert terminal.look() == [
        "● shop/staging  A  shop@1111111111  InProgress 1m  1 of 2 done",
        "  holds, 4m left",
        "  staging-1 ✓ ✓ ✓ ✓  0.0s succeeded",
        "  staging-2 · · · ·",
    ]
    terminal.view.close()


def test_what_runs_is_shown_and_what_ended_becomes_a_line(world: World) -> None:
    world.push("1", manifest(group("staging")))
    terminal = Terminal(world)
    assert terminal.look() == ["· shop/staging  A  shop@1111111111  Created"]
    running = world.step(world.step(world.step([])))
    world.tick(3)
    assert terminal.look() == [
        "● shop/staging  A  shop@1111111111  InProgress 3.0s  0 of 2 done, 2 in progress",
        "  staging-1 ✓ ● · ·  3.0s DownloadBundle",
        "  staging-2 ✓ ● · ·  3.0s DownloadBundle",
    ]
    while running:
        running = world.step(running)
    assert terminal.look() == ["✓ 00:00:04 shop/staging A shop@1111111111 succeeded in 3.0s (2 of 2 done)"]
    terminal.view.close()
    assert terminal.lines() == ["✓ 00:00:04 shop/staging A shop@1111111111 succeeded in 3.0s (2 of 2 done)"]


def test_a_failed_script_stays_on_the_screen(world: World) -> None:
    world.fails = lambda event: event.target == "staging-1" and event.event == 2
    world.push("1", manifest(group("staging")))
    terminal = Terminal(world)
    actions = world.step([])
    while world.store.journal_after(terminal.seen) and not any("failed" in line for line in terminal.look()):
        actions = world.step(actions)
    assert terminal.lines()[0] == "✗ 00:00:01 shop/staging A staging-1 Install failed: x.sh: no"
    assert any("staging-1 ✓ ✓ ✗ –" in line and "Install failed: x.sh: no" in line for line in terminal.lines())
    terminal.view.close()


def test_a_hundred_hosts_fit_the_screen_and_the_urgent_ones_are_shown(world: World) -> None:
    world.hosts = 100
    world.fails = lambda event: event.target == "staging-77"
    world.push("1", manifest(group("staging")))
    terminal = Terminal(world, rows=12)
    actions = world.step(world.step([]))
    world.step([], [world.result(action) for action in actions if getattr(action, "target", "") == "staging-77"])
    lines = terminal.look()
    assert len(lines) <= 12
    assert any(line.split()[:2] == ["staging-77", "✗"] for line in lines)
    assert any("more hosts" in line for line in lines)
    terminal.view.close()


def test_a_script_cannot_steer_the_terminal(world: World) -> None:
    world.push("1", manifest(group("staging")))
    world.settle()
    terminal = Terminal(world)
    entry = world.store.journal_after(0)[-1]
    assert entry.kind == "deployment succeeded"
    terminal.look()
    rollout = next(iter(terminal.board.rollouts.values()))
    rollout.message = "\x1b[2J\x1b]0;owned\x07gone\x07"
    terminal.view.show([entry])
    terminal.view.tick()
    assert "\x1b[2J" not in terminal.file.getvalue()
    assert "owned" not in terminal.file.getvalue()
    assert terminal.lines()[-1].endswith(": gone")
    terminal.view.close()
