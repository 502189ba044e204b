"""A large bundle goes through the agent to disk; it is never in memory."""

import os
from pathlib import Path

import pytest
from agent_cases import HOST, AgentHost, ended
from agent_server import AgentServer
from host_cases import EVENTS, appspec

ALLOWED = 8 << 10  # KiB above what a small deployment takes: OpenSSL's and the sockets' buffers, threads, luck


def most(pid: int) -> int:
    """KiB that the process has had resident at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


async def takes(host: AgentHost, server: AgentServer, size: int) -> int:
    """KiB more than before that the agent takes for a bundle of *size* bytes."""
    process = host.start()
    assert await ended(host.deploy({"app/x": "1"}, {}, {"app": "/srv"})) == ["Succeeded"] * 7
    before = most(process.pid)
    bundle = host.bundle({"app/x": os.urandom(1 << 20) * (size >> 20)})
    request = host.request(bundle, appspec({"app": "/srv"}), "d-2")
    events = server.deploy(HOST, request, Path(bundle.path), EVENTS[:2])
    assert await ended(events, within=200) == ["Succeeded"] * 2
    return most(process.pid) - before


async def test_a_bundle_of_64_mib_takes_no_memory_to_speak_of(host: AgentHost, server: AgentServer) -> None:
    assert await takes(host, server, 64 << 20) < ALLOWED


@pytest.mark.large
async def test_a_bundle_of_a_gibibyte_takes_no_memory_to_speak_of(host: AgentHost, server: AgentServer) -> None:
    assert await takes(host, server, 1 << 30) < ALLOWED
