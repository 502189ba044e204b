"""Getting ready to move traffic: the AppSpec read, the function or service looked at. Nothing is changed."""

from functools import partial

import msgspec

from runner.errors import UserError
from runner.execute.prepare import failure
from runner.model.deployment import Deployment
from runner.model.program import TargetSpec, TrafficJob
from runner.model.revision import Revision
from runner.model.work import PreparationFailed, Prepare, PreparedTraffic
from runner.ports import Sources, TrafficPlatform
from runner.render.specs import target_spec


def prepare_traffic(
    action: Prepare, sources: Sources, platform: TrafficPlatform
) -> PreparedTraffic | PreparationFailed:
    """Read, look. What the user must mend is a `PreparationFailed`; `WorldError` is raised, to be retried."""
    deployment, undoing = action.deployment, action.undoing
    try:
        exact = deployment.exact if undoing else sources.pin(deployment.exact)
        # The functions of hooks judge a new version; they have no say in going back.
        spec = msgspec.structs.replace(undoing.spec, hooks={}) if undoing else _spec(deployment, exact, sources)
        job = TrafficJob(
            deployment_id=deployment.id,
            application=deployment.application,
            group=deployment.group,
            group_id=deployment.group_id,
            place=deployment.settings.place,
            spec=spec,
            checks=deployment.settings.checks,
            restoring=undoing.state if undoing else None,
        )
        target, state = platform.inspect(job)
    except UserError as error:
        return PreparationFailed(deployment_id=deployment.id, error=failure(error))
    return PreparedTraffic(
        deployment_id=deployment.id,
        target=target,
        spec=spec,
        state=state,
        pinned=None if exact == deployment.revision else exact,
    )


def _spec(deployment: Deployment, exact: Revision, sources: Sources) -> TargetSpec:
    return target_spec(exact, deployment.settings, deployment.appspec, partial(sources.document, exact))
