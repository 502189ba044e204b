"""The promise of recovery, whole: killed with -9 after every single journal entry, restarted, compared with no kill at all.

No completed lifecycle event runs again, none is lost, and the outcome is the same; the hosts' own records say so.
"""

import os
import signal
from collections.abc import Callable, Iterable

import pytest
from acceptance_cases import HOOKED, Forge, Site, is_dead, wait_until

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

    wait_until(lambda: is_dead(pid) or site.settled(deployments), "death or the end", log=site.log)
    return is_dead(pid)


def _end(forge: Forge, pid: int) -> int:
    os.kill(pid, signal.SIGTERM)
    return forge.wait(pid)


def compare(forge: Forge, site: Site, deployments: int, entries: Iterable[int], again: Callable[[], None]) -> None:
    """Carry out the rollout uninterrupted, then once for each of *entries* with a kill after it; all must agree.

    *again* puts the site back to where the rollout begins.
    """
    again()
    assert carry_out(forge, site, deployments) is False
    outcome, records = site.outcome(), site.records()
    killed = {}
    for entry in entries:
        again()
        killed[entry] = carry_out(forge, site, deployments, kill_after=entry)
        assert site.records() == records, f"killed after entry {entry}"
        assert site.outcome() == outcome, f"killed after entry {entry}"
    # How many entries say that a deployment waits may differ by one from run to run, so the very last may not be reached.
    assert [entry for entry, was in killed.items() if not was] in ([], [max(killed)])


def entries_of(site: Site) -> int:
    ((entries,),) = site.query("SELECT max(id) FROM journal")
    return int(entries)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_after_every_journal_entry_of_a_two_group_rollout(forge: Forge, site: Site, shard: int) -> None:
    commit = site.commit("first")
    carry_out(forge, site, deployments=2)
    entries = entries_of(site)
    assert entries > 40
    compare(forge, site, 2, range(1 + shard, entries + 1, SHARDS), site.afresh)
    for host, record in site.records().items():
        assert record == [f"{event} {word} {commit}" for event in HOOKED[1:] for word in ("begins", "ends")], host


def test_killed_while_a_failed_rollout_is_rolled_back(forge: Forge, site: Site) -> None:
    """The second commit fails on production; a sample of kills from its first entry to the end of the rollback."""
    first = site.commit("first")
    carry_out(forge, site, deployments=2)
    before = entries_of(site)
    site.commit("second", **{"broken-on-production-1": ""})
    site.keep()
    carry_out(forge, site, deployments=5)
    assert [row[1:] for row in site.outcome() if row[0] == "production"] == [
        ("CodeDeploy", "Succeeded"),
        ("CodeDeploy", "Failed"),
        ("codeDeployRollback", "Succeeded"),
    ]
    compare(forge, site, 5, range(before + 3, entries_of(site) + 1, 9), site.restore)
    assert site.records()["production-1"][-1] == f"ValidateService ends {first}"
