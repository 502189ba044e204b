"""The promise of recovery, whole: killed with -9 after every single journal entry, restarted, compared with no kill at all.

No completed lifecycle event runs again, none is lost, and the outcome is the same; the hosts' own records say so.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance_cases import HOOKED, Forge, Site, wait_until

SHARDS = 4


def carry_out(forge: Forge, site: Site, deployments: int, kill_after: int | None = None) -> bool:
    """Serve until everything has ended, after a kill if one is asked for. Returns whether it was killed."""
    argv = site.argv("serve")
    killed = False
    if kill_after:
        pid = forge.start(argv, site.folder, site.log, kill_after)
        status = forge.wait(pid) if _dies(site, pid, deployments) else _end(forge, pid)
        killed = status == -signal.SIGKILL
    if not site.settled(deployments):
        pid = forge.start(argv, site.folder, site.log)
        wait_until(lambda: site.settled(deployments), "the end of the rollout", log=site.log)
        assert _end(forge, pid) == 0
    return killed


def _dies(site: Site, pid: int, deployments: int) -> bool:
    """Wait until the process is dead (a zombie of the forge) or has done everything."""

    def dead() -> bool:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"

    wait_until(lambda: dead() or site.settled(deployments), "death or the end", log=site.log)
    return dead()


def _end(forge: Forge, pid: int) -> int:
    os.kill(pid, signal.SIGTERM)
    return forge.wait(pid)


def sweep(forge: Forge, site: Site, shard: int, deployments: int, prepare: Callable[[], None]) -> None:
    prepare()
    assert carry_out(forge, site, deployments) is False
    outcome, records = site.outcome(), site.records()
    (entries,) = site.query("SELECT max(id) FROM journal")[0]
    assert entries > 20
    kills = 0
    for entry in range(1 + shard, entries + 1, SHARDS):
        site.afresh()
        prepare()
        kills += carry_out(forge, site, deployments, kill_after=entry)
        assert site.records() == records, f"killed after entry {entry}"
        assert site.outcome() == outcome, f"killed after entry {entry}"
    assert kills >= (entries - shard) // SHARDS - 1  # the count of entries may differ by one that only waiting makes


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_after_every_journal_entry_of_a_two_group_rollout(forge: Forge, site: Site, shard: int) -> None:
    commit = site.commit("first")
    sweep(forge, site, shard, deployments=2, prepare=lambda: None)
    for host, record in site.records().items():
        assert record == [f"{event} {word} {commit}" for event in HOOKED[1:] for word in ("begins", "ends")], host
