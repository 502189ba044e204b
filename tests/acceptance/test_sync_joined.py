"""Two `penstock sync` at once, as cron starts them: the second follows the first, and takes over when that is killed."""

import os
import signal
from pathlib import Path

from acceptance_cases import HOOKED, Forge, Site, wait_until


def test_whoever_has_joined_takes_over_when_the_first_is_killed(forge: Forge, site: Site) -> None:
    log = site.folder / "second.log"
    site.commit("good")
    held = site.hosts / "staging-1/held"
    held.touch()
    first = forge.start(site.argv("sync"), site.folder, site.log)
    wait_until(lambda: site.records()["staging-1"], "the first script", log=site.log)
    second = forge.start(site.argv("sync"), site.folder, log)
    wait_until(lambda: "following it" in _said(log), "the second run", log=log)
    os.kill(first, signal.SIGKILL)
    held.unlink()
    assert forge.wait(first) == -signal.SIGKILL
    assert forge.wait(second) == 0, _said(log)
    assert site.outcome()[:2] == [("staging", "CodeDeploy", "Succeeded"), ("production", "CodeDeploy", "Succeeded")]
    begun = {host: [line.split()[0] for line in lines if " begins " in line] for host, lines in site.records().items()}
    assert set(begun) == {"staging-1", "production-1", "production-2"}
    assert all(events == list(HOOKED[1:]) for events in begun.values())


def _said(log: Path) -> str:
    return log.read_text() if log.exists() else ""
