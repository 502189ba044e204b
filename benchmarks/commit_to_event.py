"""From the end of `git commit` to the first lifecycle event's script, on a local host that `penstock serve` deploys to."""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Sample, Table, in_turns
from benchmarks.site import Repository, Site, folder

RUNS = 30
HOOK = """#!/bin/bash
echo "$EPOCHREALTIME" > "$PENSTOCK_ROOT/began-$BUNDLE_COMMIT"
"""
# The scripts of ApplicationStop come from the revision before, so it is the first event that runs one.
HOOKED = ("ApplicationStop",)

FLOOR, WHOLE = "git commit + spawn of the script", "git commit, and penstock runs the script"
SPAWN, AFTER = "spawn of the script", "end of the commit -> script running (goal: 150)"


def measure(runs: int, *, small: bool = False) -> Table:
    """Rows of one name's beginning follow one another in time."""
    with folder() as place:
        bare = Repository(place / "floor" / "shop", HOOK, HOOKED, 10)
        site = Site(place, hosts=1, hook=HOOK, hooked=HOOKED)
        bare.commit()
        with site.served():
            rows = in_turns([lambda: _spawned(bare), lambda: _deployed(site)], runs)
    return Table(
        title="commit_to_event",
        about='One local host, `watch = "files"`; the script is ApplicationStop\'s. The floor spawns the same script '
        "as soon as `git commit` has ended. Below it, what passes between the end of the commit and the script; the "
        "ref moves shortly before `git commit` ends, so the first of these may be negative.",
        rows=rows,
        floors={WHOLE: FLOOR, AFTER: SPAWN},
    )


def _spawned(repository: Repository) -> dict[str, Sample]:
    begun, ended, commit = _committed(repository)
    host = repository.folder.parent
    environment = {"PATH": os.environ["PATH"], "PENSTOCK_ROOT": str(host), "BUNDLE_COMMIT": commit}
    script = str(repository.folder / "hook.sh")
    spawned = time.time()
    os.waitpid(os.posix_spawn(script, [script], environment), 0)
    began = _began(host / f"began-{commit}")
    assert began is not None
    return {FLOOR: Sample(ended - begun + began - spawned), SPAWN: Sample(began - spawned)}


def _deployed(site: Site) -> dict[str, Sample]:
    begun, ended, commit = _committed(site.repository)
    said = site.hosts[0] / f"began-{commit}"
    site.await_(lambda: _began(said))
    deployment = site.await_end(commit)
    times = {"the end of the commit": ended, **_recorded(site, commit, deployment), "script running": _began(said)}
    return {
        WHOLE: Sample(times["script running"] - begun),
        AFTER: Sample(times["script running"] - ended),
        **{
            f"  {later}: after {earlier}": Sample(times[later] - times[earlier])
            for earlier, later in zip(list(times), list(times)[1:], strict=False)
        },
    }


def _recorded(site: Site, commit: str, deployment: dict[str, Any]) -> dict[str, Any]:
    """What the database says, in order; the times are taken at the beginning of the transactions that record them."""
    change = site.row("SELECT seen_at FROM changes WHERE commit_id = ?", commit)
    event = site.row(
        "SELECT min(started_at) AS began_at FROM lifecycle_events WHERE deployment_id = ?", deployment["id"]
    )
    assert change and event
    return {
        "change seen": change["seen_at"],
        "deployment created": deployment["created_at"],
        "deployment started": deployment["started_at"],
        "event intended": event["began_at"],
    }


def _committed(repository: Repository) -> tuple[float, float, str]:
    """When `git commit` began, when it ended, and what it made."""
    repository.change()
    begun = time.time()
    repository.git("commit", "--quiet", "--message", "a change")
    return begun, time.time(), repository.git("rev-parse", "HEAD")


def _began(file: Path) -> float | None:
    """What the script wrote, None before it has."""
    said = file.read_text() if file.exists() else ""
    return float(said) if said.endswith("\n") else None
