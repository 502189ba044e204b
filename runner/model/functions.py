"""Lambda functions as deployments see them: an alias whose traffic moves from one version to another."""

from runner.model.revision import S3Revision
from runner.model.value import Value


class FunctionSettings(Value, frozen=True, kw_only=True):
    """The manifest's `function:`. *hooks*: lifecycle event to the name or ARN of the function that validates it."""

    name: str
    alias: str
    hooks: dict[str, str] = {}


class LambdaSpec(Value, frozen=True, kw_only=True, tag="lambda"):
    """What a deployment does to a function: an AppSpec, or the manifest's form.

    *current_version* None: whatever the alias has. *target_version* None: the deployment publishes it from *code*.
    """

    function: str
    alias: str
    current_version: str | None = None
    target_version: str | None = None
    code: S3Revision | None = None
    hooks: dict[str, str] = {}


class LambdaState(Value, frozen=True, kw_only=True, tag="lambda"):
    """How far it is. *weight*: percent of the alias' traffic that goes to *target_version*.

    *revision_id*: of the alias as the deployment found it or last wrote it; what differs was written by somebody else.
    *attempted*: the weight that the last act, which failed, was to reach; it may have.
    """

    function: str
    alias: str
    current_version: str
    target_version: str | None = None
    weight: int = 0
    revision_id: str | None = None
    attempted: int | None = None
