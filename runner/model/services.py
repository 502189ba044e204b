"""ECS services as deployments see them: task sets, or one set of tasks that ECS itself replaces."""

from typing import Any, Literal, TypeAlias

from runner.model.value import Value

Controller: TypeAlias = Literal["CODE_DEPLOY", "EXTERNAL", "ECS"]


class Route(Value, frozen=True, kw_only=True):
    """How requests reach a service. *target_groups*: names or ARNs of the two that its task sets alternate between.

    *listener*, *test_listener*: ARNs of listeners, or of single rules of listeners.
    """

    listener: str | None = None
    test_listener: str | None = None
    target_groups: tuple[str, ...] = ()


class ServiceSettings(Value, frozen=True, kw_only=True):
    """The service of a deployment group. The manifest's `service:` has all of it; the wire API names *cluster*, *name* and
    *routes*, and its AppSpec says the rest.

    *task_definition*: path of the JSON file below the application's root. *names*: what its templates may use.
    """

    cluster: str
    name: str
    routes: tuple[Route, ...] = ()
    task_definition: str | None = None
    container: str | None = None
    port: int | None = None
    hooks: dict[str, str] = {}
    names: dict[str, Any] = {}


class EcsSpec(Value, frozen=True, kw_only=True, tag="ecs"):
    """What a deployment does to a service: an AppSpec, or the manifest's form.

    *task_definition*: ARN, `family:revision`, or `family` for the latest. *document*: one to register, as ECS's
    RegisterTaskDefinition takes it; then *task_definition* is None. The other members are as ECS's CreateTaskSet takes
    them; None: as the service has them.
    """

    cluster: str
    service: str
    task_definition: str | None = None
    document: dict[str, Any] | None = None
    container: str
    port: int
    platform_version: str | None = None
    network: dict[str, Any] | None = None  # networkConfiguration
    capacity_providers: tuple[dict[str, Any], ...] = ()
    routes: tuple[Route, ...] = ()
    hooks: dict[str, str] = {}


class TaskSet(Value, frozen=True, kw_only=True):
    """One task set as it was last seen. *weight*: percent of the production traffic. *target_group*: its ARN."""

    id: str
    arn: str = ""
    task_definition: str = ""
    label: Literal["Blue", "Green"] = "Blue"
    status: Literal["PRIMARY", "ACTIVE", "DRAINING"] = "ACTIVE"
    desired: int = 0
    pending: int = 0
    running: int = 0
    weight: int = 0
    target_group: str = ""


class EcsState(Value, frozen=True, kw_only=True, tag="ecs"):
    """How far it is. *original*: serves when the deployment begins. *replacement*: None before it is created.

    *before*: per listener or rule (ARN) its actions before the deployment touched it, to go back to. *pairs*: per route the
    ARNs of the target groups of the original and of the replacement. *task_definition*: the one that is deployed, once it
    is registered.
    """

    cluster: str
    service: str
    controller: Controller
    original: TaskSet | None = None
    replacement: TaskSet | None = None
    task_definition: str | None = None
    before: dict[str, list[dict[str, Any]]] = {}
    pairs: tuple[tuple[str, str], ...] = ()
    weight: int = 0
    moved: bool = False  # the replacement is the service's primary task set
