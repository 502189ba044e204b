"""Getting ready to deploy: the bundle on this machine, its AppSpec checked, the hosts known. No host is touched."""

from collections.abc import Callable, Iterable, Sequence

from runner.errors import InvalidLoadBalancer, InvalidRevision, NoInstances, RunnerError, UserError
from runner.model.deployment import Deployment, ErrorInformation
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.model.work import PreparationFailed, Prepared
from runner.plan.targets import choose
from runner.ports import Sources
from runner.render import appspec

CheckTraffic = Callable[[Sequence[Host], LoadBalancing], None]
"""Whether these hosts can be taken out of that traffic, and put back. May raise `UserError` and `WorldError`."""


def prepare(
    deployment: Deployment, sources: Sources, hosts: Callable[[], Iterable[Host]], check_traffic: CheckTraffic
) -> Prepared | PreparationFailed:
    """Fetch, read, choose. What the user must mend is a `PreparationFailed`; `WorldError` is raised, to be retried."""
    try:
        chosen = choose(hosts(), deployment.settings)
        if deployment.settings.load_balancer is not None:
            check_traffic(chosen, deployment.settings.load_balancer)
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
    code = error.code if isinstance(error, (NoInstances, InvalidLoadBalancer)) else "INVALID_REVISION"
    return ErrorInformation(code=code, message=error.message)
