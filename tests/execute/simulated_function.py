"""Lambda in memory for simulations: the function `resize`, and what must hold of its alias `live` after every call."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from execute.traffic_simulation import Simulation
from fakes.functions import FakeFunctions
from function_cases import CODE, PLACE, fake
from store_cases import T0

from runner.model.functions import FunctionSettings
from runner.model.revision import AppSpecRevision, Revision
from runner.platforms.functions import FunctionPlatform
from runner.ports import TrafficPlatform

FUNCTION, ALIAS, CURRENT = "resize", "live", "1"
FOREIGN = "7"  # a version that no deployment here has to do with
_APPSPEC = {
    "version": 0.0,
    "Resources": [
        {
            FUNCTION: {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Name": FUNCTION, "Alias": ALIAS, "CurrentVersion": CURRENT, "TargetVersion": "2"},
            }
        }
    ],
}


class FunctionSide:
    """*target*: the version that is deployed. *reached*: when which weight was reached, in percent, for the first time."""

    simulation: Simulation

    def __init__(self, *, lag: float = 0.0, publishes: bool = False) -> None:
        self.wrong: list[str] = []
        self.aws: FakeFunctions = fake(lag=lag)
        for number in range(3, int(FOREIGN) + 1):
            self.aws.version(FUNCTION, f"code {number}")
        assert CODE.version is not None
        self.aws.objects[CODE.bucket, CODE.key, CODE.version] = "pinned"
        self.aws.now += 60
        self.call, self.pages = self.aws.call, self.aws.pages
        self._publishes, self.target = publishes, str(int(FOREIGN) + 1) if publishes else "2"
        self.reached: list[tuple[float, float]] = []
        self._was: dict[str, float] = {}

    def now(self) -> dt.datetime:
        return T0 + dt.timedelta(seconds=self.aws.now)

    def advance(self, seconds: float) -> None:
        self.aws.now += seconds

    def platform(self, aws: Any) -> TrafficPlatform:
        return FunctionPlatform(aws, self.aws.pace)

    def wish(self) -> tuple[Revision, dict[str, Any]]:
        settings: dict[str, Any] = {"platform": "Lambda", "place": PLACE}
        if self._publishes:
            return CODE, {**settings, "function": FunctionSettings(name=FUNCTION, alias=ALIAS)}
        return AppSpecRevision(content=json.dumps(_APPSPEC), sha256="0" * 64), settings

    def meddle(self, operation: str) -> bool:
        """At any moment: Lambda itself compares the RevisionId."""
        self.aws.alias(FUNCTION, ALIAS, CURRENT, **{f"v{FOREIGN}": 0.25})
        return True

    def split(self) -> dict[str, float]:
        return self.aws.split(FUNCTION, ALIAS)

    def published(self) -> list[str]:
        """Versions that deployments have made."""
        return [each["Version"] for each in self.aws.versions(FUNCTION) if each["Description"].startswith("d-")]

    def before(self, operation: str, params: Mapping[str, Any]) -> None:
        self._was = self.split()

    def after(self, operation: str, params: Mapping[str, Any]) -> None:
        now = self.split()
        if operation == "update_alias":
            if FOREIGN in self._was:
                self.wrong.append(f"{self._was}, which somebody else wrote, was replaced with {now}")
            self._look(now)
        if sum(now.values()) != 1 or not all(0 <= each <= 1 for each in now.values()):
            self.wrong.append(f"the shares of the alias are {now}")
        if len(self.published()) > 1:
            self.wrong.append(f"versions {self.published()} were made")

    def _look(self, now: dict[str, float]) -> None:
        """The target's share only grows, but for a rollback."""
        task = self.simulation.acting
        assert task is not None
        was, share = (round(100 * each.get(self.target, 0), 6) for each in (self._was, now))
        if task.job.restoring is not None:
            return
        if share < was or share != task.act.weight:
            self.wrong.append(f"{task.act} brought version {self.target} from {was} to {share} percent")
        elif share > was:
            self.reached.append((self.aws.now, share))
