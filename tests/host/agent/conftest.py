from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_cases import AgentHost
from agent_server import AgentServer, agent_server


@pytest.fixture
def server() -> Iterator[AgentServer]:
    with agent_server() as made:
        yield made


@pytest.fixture
def host(tmp_path: Path, server: AgentServer) -> Iterator[AgentHost]:
    made = AgentHost(tmp_path, server)
    yield made
    made.stop()
