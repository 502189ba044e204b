"""Tables where no terminal is."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from runner.cli.screen import console, table
table(console(), ("A", "B"), [("x" * 60, "2026-01-01 00:00:00 UTC " * 8)])
"""


@pytest.mark.parametrize("term", ["dumb", "xterm", ""])
def test_a_row_is_one_line_in_a_pipe_whatever_the_terminal_is_called(term: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, "TERM": term}, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 2
