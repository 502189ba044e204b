"""The signing key: one for ever, private, and verified by others than ourselves."""

import datetime as dt
import json
import subprocess
import threading
from pathlib import Path

import pytest
from host_cases import appspec, job, tgz
from official_agent import content_of

from runner.errors import UserError
from runner.host.agent.errors import Untrusted
from runner.host.agent.pinned_key import PinnedKey
from runner.host.agent.settings import Settings
from runner.host.agent.specification import read
from runner.model.executor import ExecutorSettings
from runner.model.target import Host
from runner.platforms.agents.signing import SigningKey
from runner.platforms.agents.specification import content, content_for_ours
from runner.platforms.agents.specifications import SignedSpecifications

NOW = dt.datetime.now(dt.UTC)


def test_the_key_is_made_once_even_by_many_at_once_and_is_private(tmp_path: Path) -> None:
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(SigningKey.of(tmp_path, NOW).modulus)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["signing-key.pem"]
    assert (tmp_path / "signing-key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_never_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "signing-key.pem").write_text(text)
    with pytest.raises(UserError, match="restore it from a backup"):
        SigningKey.of(tmp_path, NOW)
    assert (tmp_path / "signing-key.pem").read_text() == text


def test_openssl_verifies_the_envelope_against_the_certificate_in_it(tmp_path: Path) -> None:
    key, said = SigningKey.of(tmp_path, NOW), b'{"a": "\xc3\xbc"}\nb\r\n'
    pem = key.pkcs7(said)
    assert pem.startswith("-----BEGIN PKCS7-----\n")
    assert content_of(pem) == said
    command = ["openssl", "smime", "-verify", "-noverify", "-inform", "PEM"]
    done = subprocess.run(command, input=pem.encode(), capture_output=True, timeout=30, check=True)
    assert done.stdout == said


async def test_our_own_agent_gets_a_specification_that_it_trusts_and_no_other(tmp_path: Path) -> None:
    key = SigningKey.of(tmp_path, NOW)
    deployed = job(tgz(tmp_path / "b.tgz", {}), appspec())
    hosts = {"web-1": Host(name="web-1", transport="agent", environment={"A": "ü"})}
    given = SignedSpecifications(lambda deployment: (deployed, hosts), key)
    answer = {
        "DeploymentSystem": "CodeDeploy",
        "DeploymentSpecification": await given.of(deployed.deployment_id, "web-1", ours=True),
    }
    execution = f"CodeDeploy/x/Prod/y:deployment/{deployed.deployment_id}"
    settings = Settings(
        server="http://127.0.0.1:1",
        host="web-1",
        access_key_id="PK",
        secret_access_key="s",
        region="us-east-1",
        signing_key=pinned(key),
    )
    found = read(answer, execution, settings)
    assert found.request["environment"] == {"A": "ü"}
    assert found.request["bundle"] == {"type": "tgz", "sha256": deployed.bundle.sha256}
    assert found.events[0] == "ApplicationStop"
    assert found.bundle["size"] == deployed.bundle.size
    other = SigningKey.of(tmp_path.parent, NOW)
    settings.signing_key = pinned(other)
    with pytest.raises(Untrusted):
        read(answer, execution, settings)


def test_the_two_specifications_agree(tmp_path: Path) -> None:
    deployed = job(tgz(tmp_path / "b.tgz", {}), appspec(hooks={"BeforeInstall": ["s.sh"]}))
    ours = content_for_ours(deployed, Host(name="web-1", transport="agent"), ExecutorSettings())
    added = ours.pop("Penstock")
    assert ours == content(deployed)
    assert "event" not in added["request"]
    assert "attempt" not in added["request"]
    assert json.dumps(added["events"]) == json.dumps(
        [
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
        ]
    )


def pinned(key: SigningKey) -> PinnedKey:
    return PinnedKey.from_json({"n": f"{key.modulus:x}", "e": key.exponent})
