"""The official agent, simulated, against the real command API: whole deployments, and what it does when things go wrong."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from agent_rig import ARN, AgentRig, agent_rig
from host_cases import EVENTS, appspec
from official_agent import ClientError, ScriptError
from waiting import until

from runner.model.revision import S3Revision

SPEC = appspec({"a.txt": "/opt"})
FILES = {"a.txt": "a"}


@pytest.mark.parametrize("secure", [False, True])
async def test_a_deployment_runs_each_event_once_and_in_order(tmp_path: Path, secure: bool) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = await started(rig, secure=secure)
        deployment = rig.begin(FILES, SPEC)
        assert (await rig.ended(deployment)).status == "Succeeded"
        assert [each.event for each in agent.executed] == list(EVENTS)
        assert set(rig.statuses(deployment).values()) == {"Succeeded"}
        assert not agent.errors


async def test_the_specification_holds_what_the_agent_reads(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def run(event: str, specification: dict[str, Any]) -> bool:
        seen.append(specification)
        return True

    async with agent_rig(tmp_path) as rig:
        await started(rig, run=run)
        deployment = rig.begin(FILES, SPEC)
        await rig.ended(deployment)
    assert all(each == seen[0] for each in seen)
    location = seen[0].pop("Revision")["S3Revision"]
    assert location.pop("Key").endswith(".tgz")
    assert location == {"Bucket": "penstock_bundles", "BundleType": "tgz"}
    assert seen[0].pop("DeploymentGroupId")
    assert seen[0] == {
        "DeploymentId": deployment,
        "DeploymentGroupName": "production",
        "ApplicationName": "shop",
        "DeploymentCreator": "user",
        "DeploymentType": "IN_PLACE",
        "AppSpecFilename": "appspec.yml",
        "AgentActionOverrides": {"AgentOverrides": {"FileExistsBehavior": "DISALLOW"}},
    }


async def test_of_the_two_completes_after_a_failure_the_first_counts(tmp_path: Path) -> None:
    def run(event: str, specification: dict[str, Any]) -> bool:
        if event == "BeforeInstall":
            raise ScriptError(4, "s.sh", "Script at specified location: s.sh failed with exit code 3", "[stdout]x\n")
        return True

    async with agent_rig(tmp_path) as rig:
        agent = await started(rig, run=run)
        deployment = rig.begin(FILES, SPEC)
        ended = await rig.ended(deployment)
        await until(lambda: len(agent.completes) == 4)
        assert ended.status == "Failed"
        assert [status for _, status in agent.completes] == ["Succeeded", "Succeeded", "Failed", "Failed"]
        found = rig.failure(deployment)
        assert found.name == "BeforeInstall"
        assert found.diagnostics is not None
        assert (found.diagnostics.error_code, found.diagnostics.script_name) == ("ScriptFailed", "s.sh")
        assert found.diagnostics.log_tail == "[stdout]x\n"
        assert "[stdout]x" in rig.logs.read(deployment, "web-1")
        assert not agent.errors  # both were answered with 200


async def test_a_child_that_was_killed_reports_code_7_when_it_is_back(tmp_path: Path) -> None:
    began, hold = threading.Event(), threading.Event()

    def run(event: str, specification: dict[str, Any]) -> bool:
        if event == "Install":
            began.set()
            hold.wait(30)
        return True

    async with agent_rig(tmp_path) as rig:
        key, folder = rig.key("web-1"), tmp_path / "root"
        first = await started(rig, run=run, key=key, folder=folder)
        deployment = rig.begin(FILES, SPEC)
        await asyncio.to_thread(began.wait, 30)
        first.die()
        await started(rig, key=key, folder=folder)
        ended = await rig.ended(deployment)
        hold.set()
        found = rig.failure(deployment)
        assert ended.status == "Failed"
        assert found.name == "Install"
        assert found.diagnostics is not None
        assert "after an agent restart" in found.diagnostics.message


@pytest.mark.parametrize("name", [ARN + "web-1", "web-1", "arn:aws:sts::0:assumed-role/x/web-1", ARN + "of-web-1"])
async def test_an_agent_may_call_its_host_by_its_name_or_an_arn_of_it(tmp_path: Path, name: str) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = await started(rig, identifier=name)
        assert (await rig.ended(rig.begin(FILES, SPEC))).status == "Succeeded"
        assert all(each["HostIdentifier"] == name for each in agent.received)


async def test_an_agent_on_an_instance_calls_itself_by_the_arn_of_the_instance(tmp_path: Path) -> None:
    host, arn = "i-0123456789abcdef0", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"
    async with agent_rig(tmp_path / "by-id", [host]) as rig:
        agent = await started(rig, key=rig.key(host), identifier=arn)
        assert (await rig.ended(rig.begin(FILES, SPEC))).status == "Succeeded"
        assert all(each["HostIdentifier"] == arn for each in agent.received)
    async with agent_rig(tmp_path / "by-name", ["web-1"], registered=lambda name: {host}) as rig:
        await started(rig, identifier=arn)
        assert (await rig.ended(rig.begin(FILES, SPEC))).status == "Succeeded"
        with pytest.raises(ClientError, match="400 ClientException: the access key is of host web-1"):
            await asyncio.to_thread(rig.agent(identifier=f"{arn}0").poll)


@pytest.mark.parametrize("name", ["web-2", "web", "WEB-1", ARN + "web-2", ARN + "notweb-1", "x/web-1"])
async def test_an_agent_may_not_call_its_host_by_another_name(tmp_path: Path, name: str) -> None:
    async with agent_rig(tmp_path, ["web-1", "web-2"]) as rig:
        with pytest.raises(ClientError, match="400 ClientException: the access key is of host web-1"):
            await asyncio.to_thread(rig.agent(identifier=name).poll)


async def test_sixteen_commands_of_one_host_are_handed_out_to_sixteen_polls_each_once(tmp_path: Path) -> None:
    hosts = ["web-1"]
    hold, running = threading.Event(), threading.Semaphore(0)

    def run(event: str, specification: dict[str, Any]) -> bool:
        if event == "ApplicationStop":
            running.release()
            hold.wait(30)
        return True

    async with agent_rig(tmp_path, hosts) as rig:
        agent = await started(rig, run=run)
        made = [rig.begin({"a.txt": str(number)}, SPEC, name=f"group-{number}") for number in range(15)]
        for _ in made:
            assert await asyncio.to_thread(running.acquire, timeout=30)
        hold.set()
        for deployment in made:
            assert (await rig.ended(deployment)).status == "Succeeded"
        identifiers = [each["HostCommandIdentifier"] for each in agent.received]
        assert len(set(identifiers)) == len(identifiers) == 15 * 7


async def test_a_bundle_is_fetched_as_from_s3_with_its_etag_and_version(tmp_path: Path) -> None:
    pinned = S3Revision(bucket="releases", key="shop/a b+ü.tgz", bundle_type="tgz", etag="abc-2", version="v/1+x=")
    async with agent_rig(tmp_path) as rig:
        agent = await started(rig)
        deployment = rig.begin(FILES, SPEC, pinned)
        assert (await rig.ended(deployment)).status == "Succeeded", rig.failure(deployment)
        fetched = next(each for each in (tmp_path / "agent-0" / "archives").iterdir())
        assert fetched.read_bytes() == (tmp_path / "0.tgz").read_bytes()

        def get(**options: Any) -> Any:
            return agent.get_object("releases", "shop/a b+ü.tgz", **options)

        content, etag = await asyncio.to_thread(get, virtual=True)
        assert (content, etag) == (fetched.read_bytes(), '"abc-2"')
        part, _ = await asyncio.to_thread(get, Range="bytes=10-19")
        assert part == content[10:20]
        rest, _ = await asyncio.to_thread(get, Range=f"bytes={len(content) - 5}-")
        assert rest == content[-5:]
        for options, problem in [
            ({"version": "v2"}, "404 NoSuchKey"),
            ({"Range": f"bytes={len(content)}-"}, "416 InvalidRange"),
        ]:
            with pytest.raises(ClientError, match=problem):
                await asyncio.to_thread(lambda options=options: get(**options))


@pytest.mark.parametrize("key", ["app.zip", "service/app.zip"])
async def test_the_bucket_may_be_part_of_the_name_and_the_key_one_word(tmp_path: Path, key: str) -> None:
    pinned = S3Revision(bucket="releases", key=key, bundle_type="tgz", etag="abc-2")
    async with agent_rig(tmp_path) as rig:
        agent = await started(rig)
        deployment = rig.begin(FILES, SPEC, pinned)
        assert (await rig.ended(deployment)).status == "Succeeded", rig.failure(deployment)
        for virtual in (True, False):
            content, _ = await asyncio.to_thread(agent.get_object, "releases", key, virtual=virtual)
            assert content == (tmp_path / "0.tgz").read_bytes()
        with pytest.raises(ClientError, match="404 NoSuchKey"):
            await asyncio.to_thread(agent.get_object, "others", key, virtual=True)


async def test_a_host_gets_no_bundle_of_another_host(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        await started(rig)
        deployment = rig.begin(FILES, SPEC)
        await rig.ended(deployment)
        sha256 = rig.store.job(deployment)[0].bundle.sha256
        for other in (rig.agent("web-2"), rig.agent(key=("PK" + "A" * 18, "x" * 40))):
            with pytest.raises(ClientError, match=r"404 NoSuchKey|403 InvalidAccessKeyId"):
                await asyncio.to_thread(other.get_object, "penstock_bundles", f"{sha256}.tgz")


async def test_an_agent_that_is_told_that_it_is_done_drops_the_command(tmp_path: Path) -> None:
    async with agent_rig(tmp_path) as rig:
        agent = rig.agent()
        deployment = rig.begin(FILES, SPEC)
        command = await asyncio.to_thread(agent.poll)
        assert command is not None
        identifier = command["HostCommandIdentifier"]
        await asyncio.to_thread(agent.complete, identifier, "Succeeded", {"error_code": 0})
        assert await asyncio.to_thread(agent.acknowledge, identifier) == "Succeeded"
        await until(lambda: rig.statuses(deployment)["ApplicationStop"] == "Succeeded")
        assert not agent.executed


async def started(rig: AgentRig, **options: Any) -> Any:
    return await asyncio.to_thread(rig.agent(**options).start)
