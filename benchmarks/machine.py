"""What the figures were measured on; they mean little elsewhere."""

import datetime as dt
import os
import platform
import re
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("penstock", "msgspec", "sqlalchemy", "pygit2", "jsonschema-rs", "jinja2", "pyyaml")


def described() -> str:
    """A line about the machine, and one about the versions."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}: {cores} cores ({_model()}), {memory:.0f} GiB, Linux {platform.release()}, "
        f"load {load:.1f} before the start\nPython {platform.python_version()}{_build()}, git {git}, {versions}"
    )


def _build() -> str:
    """An interpreter that was built without profile-guided optimisation is a good deal slower."""
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "" if optimised else " (built without --enable-optimizations)"


def _model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
