"""AWS on loopback: a real moto server in its own process, for S3 and SNS.

    with running_moto() as endpoint:   # "http://127.0.0.1:43211"
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", ...)

Start it once a session (about two seconds); `reset` empties it between tests. What moto gets wrong is its own affair.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What the environment of a client of this server must hold, beside `AWS_ENDPOINT_URL`."""

_START_WITHIN = 60.0  # seconds; importing moto takes about two on a quiet machine
_ADDRESS = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")


@contextlib.contextmanager
def running_moto() -> Iterator[str]:
    """Start a moto server on a free port of 127.0.0.1 and yield its URL once it answers; stop it afterwards."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **CREDENTIALS},
            cwd=tempfile.gettempdir(),
        )
        try:
            yield _address(process, log.fileno())
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def reset(endpoint: str) -> None:
    """Forget every bucket, topic and key of the server at *endpoint*."""
    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def environment(endpoint: str) -> dict[str, str]:
    """Environment variables that send every AWS client of a process to *endpoint*."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}


def _address(process: subprocess.Popen[bytes], log: int) -> str:
    """The server says its port once it listens; port 0 leaves no race for a free one."""
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        said = Path(f"/proc/self/fd/{log}").read_bytes()
        if found := _ADDRESS.search(said):
            return found[1].decode()
        if process.poll() is not None:
            raise RuntimeError(f"moto_server ended with {process.returncode}:\n{said.decode(errors='replace')}")
        time.sleep(0.05)
    raise RuntimeError(f"moto_server did not start within {_START_WITHIN:.0f} s")
