"""Getting ready to deploy: the bundle on this machine, its AppSpec checked, the hosts known. No host is touched."""

from collections.abc import Callable, Iterable

from runner.errors import InvalidRevision, NoInstances, RunnerError, UserError
from runner.model.deployment import Deployment, ErrorInformation
from runner.model.target import Host
from runner.model.work import PreparationFailed, Prepared
from runner.plan.targets import choose
from runner.ports import Sources
from runner.render import appspec


def prepare(
    deployment: Deployment, sources: Sources, hosts: Callable[[], Iterable[Host]]
) -> Prepared | PreparationFailed:
    """Fetch, read, choose. What the user must mend is a `PreparationFailed`; `WorldError` is raised, to be retried."""
    try:
        chosen = choose(hosts(), deployment.settings)
        bundle = sources.fetch(deployment.revision)
        text = sources.read(bundle, deployment.appspec)
        if text is None:
            raise InvalidRevision(f"{deployment.revision.label} holds no {deployment.appspec}")
        spec, _warnings = appspec.parse(text, deployment.appspec)
    except UserError as error:
        return PreparationFailed(deployment_id=deployment.id, error=failure(error))
    return Prepared(deployment_id=deployment.id, bundle=bundle, appspec=spec, hosts=chosen)


def failure(error: RunnerError) -> ErrorInformation:
    """CodeDeploy's error code for what went wrong before a host was touched."""
    code = "NO_INSTANCES" if isinstance(error, NoInstances) else "INVALID_REVISION"
    return ErrorInformation(code=code, message=error.message)
