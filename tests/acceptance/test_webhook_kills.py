"""Killed at any transaction from a delivery's arrival to the end of its deployment: it is not lost, and deployed once."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_cases import wait_until
from webhook_rig import SECRETS
from webhook_site import Site, deliver, payload, settled

DYING = Path(__file__).with_name("dying.py")
ENVIRONMENT = {**os.environ, "SHOP_HOOK": SECRETS["env:SHOP_HOOK"]}
SOME = [("before", 1), ("after", 1), ("after", 2), ("before", 4)]


class Mortal:
    """`penstock serve` that dies at a transaction: see `dying.py`. *url*: where it listens."""

    def __init__(self, site: Site, when: str, number: int, delivery: str) -> None:
        self._log = site.folder / "mortal.log"
        options = ("--config", str(site.config), "--state", str(site.state), "serve", "--listen", "127.0.0.1:0")
        command = [sys.executable, str(DYING), when, str(number), delivery, *options]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)
        try:
            wait_until(lambda: self.url, "the listener", log=self._log)
        except AssertionError:
            self.kill()
            raise

    @property
    def url(self) -> str:
        found = re.search(r"listening on (\S+)", self._log.read_text())
        return f"http://{found[1]}" if found else ""

    @property
    def is_dead(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def ended(site: Site) -> bool:
    return site.query("SELECT count(*) FROM deployments WHERE status NOT IN ('Succeeded', 'Failed', 'Stopped')") == [
        (0,)
    ]


def kill_at(site: Site, when: str, number: int) -> bool:
    """Push, tell, be killed there, and go on. Whether there was such a transaction before all was done."""
    delivery, before = f"{when}-{number}", site.deployed()
    mortal = Mortal(site, when, number, delivery)
    try:
        pushed = site.commit()
        site.push()
        acknowledged = deliver(mortal, payload(pushed), delivery) == 202
        wait_until(lambda: mortal.is_dead or (site.deployed() == [*before, pushed] and ended(site)), "the end")
        died = mortal.is_dead
    finally:
        mortal.kill()
    kept = site.query(f"SELECT count(*) FROM deliveries WHERE delivery = '{delivery}'")
    assert kept == [(1,)] if acknowledged else kept in ([(0,)], [(1,)])
    assert kept == [(0,)] or (when, number) != ("before", 1)
    with site.serving() as server:
        assert deliver(server, payload(pushed), delivery) == 202  # as a sender does that was not answered, or was
        wait_until(lambda: settled(site) and site.deployed()[len(before) :] != [], "the look and the deployment")
        wait_until(lambda: ended(site), "the end of the deployment")
        assert site.deployed() == [*before, pushed]
    return died


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.serving():
        wait_until(lambda: len(made.deployed()) == 1 and ended(made), "the first deployment")
    yield made


def test_killed_at_some_transactions_a_push_is_deployed_once(site: Site) -> None:
    for when, number in SOME:
        assert kill_at(site, when, number), f"{when} {number}"


@pytest.mark.sweep
@pytest.mark.timeout(1200)
def test_killed_at_every_transaction_a_push_is_deployed_once(site: Site) -> None:
    number = 1
    while kill_at(site, ("before", "after")[number % 2], number):
        number += 1
        assert number < 100
    assert number > 10
