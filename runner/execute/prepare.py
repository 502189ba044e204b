"""Getting ready to deploy: the bundle on this machine, its AppSpec checked, the hosts known. No host is touched."""

from collections.abc import Callable, Iterable, Sequence

from runner.errors import InvalidRevision, RunnerError, UserError
from runner.model.appspec import AppSpec
from runner.model.deployment import Deployment, ErrorInformation
from runner.model.manifest import GroupSettings
from runner.model.revision import Bundle, Revision
from runner.model.target import Host
from runner.model.work import PreparationFailed, Prepared
from runner.plan.targets import choose
from runner.ports import Sources
from runner.render import appspec

Check = Callable[[Sequence[Host], GroupSettings], None]
"""Whether these hosts can be reached at all, and taken out of the group's traffic and put back.

Changes nothing. May raise `UserError` and `WorldError`.
"""


def prepare(
    deployment: Deployment,
    sources: Sources,
    hosts: Callable[[], Iterable[Host]],
    check: Check,
    instances: Callable[[GroupSettings], Iterable[Host]] = lambda settings: (),
) -> Prepared | PreparationFailed:
    """Fetch, read, choose. What the user must mend is a `PreparationFailed`; `WorldError` is raised, to be retried.

    *instances*: those that a group has in a cloud.
    """
    try:
        chosen = choose(hosts(), deployment.settings, instances(deployment.settings))
        check(chosen, deployment.settings)
        exact, bundle, file, spec = bundle_of(deployment, sources)
    except UserError as error:
        return PreparationFailed(deployment_id=deployment.id, error=failure(error))
    return Prepared(
        deployment_id=deployment.id,
        bundle=bundle,
        appspec=spec,
        appspec_file=None if file == deployment.appspec else file,
        pinned=None if exact == deployment.revision else exact,
        hosts=chosen,
    )


def bundle_of(deployment: Deployment, sources: Sources) -> tuple[Revision, Bundle, str, AppSpec]:
    """What exactly is deployed, its bundle on this machine, and the AppSpec in it with its path."""
    exact = sources.pin(deployment.exact)
    bundle = sources.fetch(exact)
    file, text = _appspec_of(bundle, deployment, sources)
    spec, _warnings = appspec.parse(text, file)
    return exact, bundle, file, spec


def _appspec_of(bundle: Bundle, deployment: Deployment, sources: Sources) -> tuple[str, bytes]:
    """Its path in the bundle, and its text. `appspec.yaml` is taken where nobody named a file and there is no `.yml`."""
    names = (deployment.appspec, "appspec.yaml") if deployment.appspec == "appspec.yml" else (deployment.appspec,)
    for name in names:
        if (text := sources.read(bundle, name)) is not None:
            return name, text
    raise InvalidRevision(f"{deployment.revision.label} holds no {deployment.appspec}")


def failure(error: RunnerError) -> ErrorInformation:
    """CodeDeploy's error code for what went wrong before anything was touched: the error's own, where it has one."""
    code = error.code if error.code.isupper() else "INVALID_REVISION"
    return ErrorInformation(code=code, message=error.message)
