"""Values are read by many threads at once, the first time too: the runner's threads meet the same nouns as they start."""

import subprocess
import sys

import pytest
from store_cases import group

from runner.model.value import to_json

_FIRST_READS = """
import sys, threading
from runner.model.manifest import GroupSettings
from runner.model.value import from_json

def read():
    ready.wait()
    for _ in range(20):
        assert from_json(text, GroupSettings).name == "production"

text, ready = sys.stdin.buffer.read(), threading.Barrier(6)
threads = [threading.Thread(target=read) for _ in range(6)]
sys.setswitchinterval(1e-7)
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


@pytest.mark.parametrize("attempt", range(3))  # msgspec alone survives one of twelve
def test_a_kind_that_many_threads_are_first_to_read_is_read_by_all(attempt: int) -> None:
    text = to_json(group("production")).encode()
    done = subprocess.run([sys.executable, "-c", _FIRST_READS], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
