"""A Lambda function `resize` with versions 1 and 2 and the alias `live`, and deployments to it, act by act."""

from typing import Any

from fakes.functions import FakeFunctions

from runner.model.aws import AwsPlace
from runner.model.command import Outcome
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import Act, Task, TrafficJob
from runner.model.revision import S3Revision
from runner.platforms.functions import FunctionPlatform

PLACE = AwsPlace(region="eu-west-1")
CODE = S3Revision(bucket="acme", key="resize.zip", bundle_type="zip", etag="e", version="v-2")
SPEC = LambdaSpec(function="resize", alias="live", current_version="1", target_version="2")
FORM = LambdaSpec(function="resize", alias="live", code=CODE)
PUBLISH = Act(event="Publish")


def shift(weight: int) -> Act:
    return Act(event="AllowTraffic", weight=weight)


def job(spec: LambdaSpec = SPEC, **changes: Any) -> TrafficJob:
    fields: dict[str, Any] = {"deployment_id": "d-ABCDEFGHI", "application": "resize", "group": "production"}
    return TrafficJob(**{**fields, "group_id": "g", "place": PLACE, "spec": spec, **changes})


def fake(**settings: Any) -> FakeFunctions:
    made = FakeFunctions(**settings)
    made.function("resize")
    made.version("resize", "one")
    made.version("resize", "two")
    made.code("resize", "two")
    made.alias("resize", "live", "1")
    made.now += 60  # all that is long ago
    return made


class Deployment:
    """One that somebody else drives: each act begins with the state that the one before reported."""

    def __init__(self, aws: Any, pace: Any, asked: TrafficJob, state: LambdaState | None = None) -> None:
        """*state*: of one that has begun in another process."""
        self.platform, self.job = FunctionPlatform(aws, pace), asked
        self.said: list[str] = []
        self.target, self.state = ("resize", state) if state else self.platform.inspect(asked)

    async def act(self, act: Act, attempt: int = 1) -> Outcome:
        task = Task(job=self.job, target=self.target, act=act, attempt=attempt, state=self.state)
        outcome = await self.platform.act(task, self.said.append)
        if outcome.state is not None:
            self.state = outcome.state
        return outcome

    @property
    def lambda_state(self) -> LambdaState:
        assert isinstance(self.state, LambdaState)
        return self.state
