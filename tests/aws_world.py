"""A whole Penstock behind its wire API, in this process, with a clock that the test sets: real platforms, AWS by `support`.

    with AwsWorld(folder, aws) as world:
        world.function()                                    # versions 1 and 2, `live` on 1
        made = world.deploy(world.group("CodeDeployDefault.LambdaCanary10Percent5Minutes"), function_appspec())
        world.until(lambda: world.alias() == {"1": 0.9, "2": 0.1})
        world.later(minutes=5)
        assert world.ended(made)["status"] == "Succeeded"

The environment must point at the cloud already (the fixture `aws`). The server's address and an access key for functions
that call back are in `world.variables`.
"""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from api_rig import Rig
from fakes.platform import FakePlatform
from support.cloud import Cloud
from support.ecs_world import CLUSTER, SERVICE, EcsWorld
from support.functions import greeting, make_function, publish, role
from traffic_shapes import ROLE, service_group

from runner.api.codedeploy import catalog, deployments
from runner.api.codedeploy.arns import Arns
from runner.aws import Aws
from runner.checks.cloudwatch import AlarmStates
from runner.checks.watch import Watch
from runner.execute.driver import Driver
from runner.execute.prepare_traffic import prepare_traffic
from runner.model.work import PreparationFailed, Prepare, PreparedTraffic
from runner.plan.lifecycle import server_in_place
from runner.platforms.by_spec import BySpec
from runner.platforms.functions import FunctionPlatform
from runner.platforms.hooks import WithHooks
from runner.platforms.services import ServicePlatform
from runner.service import Service
from runner.sources.all import AllSources
from runner.store.logs import LogFiles
from runner.store.store import Store

FUNCTION, ALIAS = "shop", "live"
_ENDED = ("Succeeded", "Failed", "Stopped")


class AwsWorld:
    """See above."""

    def __init__(self, folder: Path, aws: Cloud) -> None:
        self.aws = aws
        self.store = Store(folder / "state", server_in_place())
        self._skew = dt.timedelta(0)
        self._logs = LogFiles(folder / "state" / "logs")
        self._calls = Aws()
        self._sources = AllSources([], folder / "state", lambda: self._calls)
        arns = Arns("eu-west-1", "111122223333")
        service = Service(self.store, list, self.now)
        operations = {
            **catalog.operations(self.store.catalog, list, arns),
            **deployments.operations(service, self.store.wire, self.store.catalog, arns, self.store.hooks),
        }
        self.rig = Rig(operations, answers=self.store.answers, clock=self.now)
        self._driving = threading.Thread(target=lambda: asyncio.run(self._drive()), name="driver", daemon=True)
        self._began = threading.Event()

    def __enter__(self) -> Self:
        self.rig.__enter__()
        self.client = self.rig.client()
        self._driving.start()
        assert self._began.wait(20)
        role(self.aws, "deploys")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._driver.drain)
        self._driving.join(60)
        self.rig.__exit__()
        self.store.close()
        assert not self._driving.is_alive()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._skew

    def later(self, *, minutes: float) -> None:
        """So much time passes at once."""
        self._skew += dt.timedelta(minutes=minutes)
        self._loop.call_soon_threadsafe(self._driver.wake)

    async def _drive(self) -> None:
        platform = BySpec(FunctionPlatform(self._calls), ServicePlatform(self._calls))
        traffic = WithHooks(platform, self.store.hooks, self._calls, self.now, serves=True)

        def prepared(action: Prepare) -> PreparedTraffic | PreparationFailed:
            return prepare_traffic(action, self._sources, traffic)

        self._loop = asyncio.get_running_loop()
        self._driver = Driver(self.store, FakePlatform(), traffic, prepared, self._logs, self.now)
        alarms = AlarmStates(self._calls)
        watch = Watch(self.store.watch, alarms, clock=self.now, interval=0.1, failed=self._driver.wake)
        watching = asyncio.create_task(watch.run())
        self._began.set()
        try:
            await self._driver.run()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    # What there is in AWS.

    @property
    def variables(self) -> dict[str, str]:
        """For `support.functions.HOOK`."""
        return {"PENSTOCK_URL": self.rig.address, "PENSTOCK_KEY": "PKDEPLOYER", "PENSTOCK_SECRET": "secret"}

    def function(self) -> None:
        """The function `shop` with the versions 1 and 2, whose alias `live` points at 1."""
        make_function(self.aws, FUNCTION, greeting(1))
        publish(self.aws, FUNCTION, greeting(2))
        self.aws.client("lambda").create_alias(FunctionName=FUNCTION, Name=ALIAS, FunctionVersion="1")

    def alias(self) -> dict[str, float]:
        """Version to its share of the alias' traffic."""
        found = self.aws.client("lambda").get_alias(FunctionName=FUNCTION, Name=ALIAS)
        others: dict[str, float] = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return {found["FunctionVersion"]: round(1 - sum(others.values()), 6), **others}

    # What people do.

    def group(self, config: str = "CodeDeployDefault.LambdaAllAtOnce", **settings: Any) -> dict[str, str]:
        """A new application with one deployment group for the function."""
        return self._group("Lambda", config, serviceRoleArn=ROLE, **settings)

    def group_of_service(
        self, service: EcsWorld, config: str = "CodeDeployDefault.ECSAllAtOnce", **settings: Any
    ) -> dict[str, str]:
        """A new application with one deployment group for the service. *settings*: as `traffic_shapes.service_group`'s."""
        pair = {
            "targetGroups": [{"name": "blue"}, {"name": "green"}],
            "prodTrafficRoute": {"listenerArns": [service.listener]},
            "testTrafficRoute": {"listenerArns": [service.test_listener]},
        }
        balancer = {"targetGroupPairInfoList": [pair]}
        names = [{"serviceName": SERVICE, "clusterName": CLUSTER}]
        return self._group("ECS", config, **service_group(ecsServices=names, loadBalancerInfo=balancer, **settings))

    def _group(self, platform: str, config: str, **settings: Any) -> dict[str, str]:
        name = f"{platform}-{len(self.client.list_applications()['applications'])}"
        self.client.create_application(applicationName=name, computePlatform=platform)
        place = {"applicationName": name, "deploymentGroupName": "live"}
        self.client.create_deployment_group(**place, deploymentConfigName=config, **settings)
        return place

    def deploy(self, place: dict[str, str], revision: dict[str, Any], **options: Any) -> str:
        return str(self.client.create_deployment(**place, revision=revision, **options)["deploymentId"])

    def get(self, deployment_id: str) -> dict[str, Any]:
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def target(self, deployment_id: str) -> dict[str, Any]:
        """The one target of a deployment, whatever its type, once it has one."""
        self.until(lambda: "startTime" in self.get(deployment_id))
        (name,) = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        told = self.client.get_deployment_target(deploymentId=deployment_id, targetId=name)["deploymentTarget"]
        return dict(told.get("lambdaTarget") or told["ecsTarget"])

    def weight(self, deployment_id: str) -> float:
        """Percent of the traffic that the new version has, as it is recorded."""
        found: float = self.target(deployment_id)["lambdaFunctionInfo"]["targetVersionWeight"]
        return found

    def events(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        return {each["lifecycleEventName"]: each for each in self.target(deployment_id)["lifecycleEvents"]}

    def ended(self, deployment_id: str) -> dict[str, Any]:
        """The deployment, once it has ended."""
        self.until(lambda: self.get(deployment_id)["status"] in _ENDED)
        return self.get(deployment_id)

    def log(self, deployment_id: str) -> str:
        """What its hooks wrote, where it deploys to the function."""
        return self._logs.read(deployment_id, FUNCTION)

    def until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"waited {within:g} s in vain"
            time.sleep(0.02)
