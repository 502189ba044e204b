"""Talks to systemd in its own words: log lines with a priority in front, and the state of the service.

Without systemd the log is plain lines on standard error, and the state goes nowhere.
"""

from __future__ import annotations

import os
import socket
import sys

WARNING, NOTICE, INFO = 4, 5, 6

_FOR_JOURNAL = "JOURNAL_STREAM" in os.environ


def log(priority: int, text: str) -> None:
    """Lines on standard error; the journal takes their priority from the number in front."""
    head = "<{}>".format(priority) if _FOR_JOURNAL else ""
    try:
        sys.stderr.write("".join("{}{}\n".format(head, line) for line in text.splitlines()))
        sys.stderr.flush()
    except OSError:  # nobody reads us any more; work goes on
        pass


def notify(*states: str) -> None:
    """Tell systemd *states*, such as `READY=1`. Never raises. Source: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # of the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto("\n".join(states).encode(), address)
    except OSError:
        pass


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that leave systemd no doubt; None when it does not ask for any."""
    try:
        if int(os.environ.get("WATCHDOG_PID", os.getpid())) != os.getpid():
            return None
        return int(os.environ["WATCHDOG_USEC"]) / 3e6
    except (KeyError, ValueError):
        return None
