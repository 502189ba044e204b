"""What is deployed, as the control side has signed it for this host; nothing else is ever carried out."""

from __future__ import annotations

import base64
import json

from runner.host.agent.errors import Untrusted
from runner.host.lean.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.host.agent.settings import Settings

_FORMAT = "RSA-SHA256/JSON"


class Specification(Record):
    """*request*: of the executor, without event, attempt and path of the bundle. *events*: that may be asked for.

    *bundle*: where it is fetched, its SHA-256 and size in bytes; see `runner.host.agent.bundles`.
    """

    request: dict[str, Any]
    events: tuple[str, ...]
    bundle: dict[str, Any]


def read(answer: dict[str, Any], execution_id: str, settings: Settings) -> Specification:
    """The specification in the *answer* to GetDeploymentSpecification for *execution_id*.

    Raises `Untrusted` for anything that the pinned key has not signed, or that is for another host or deployment.
    """
    try:
        ours = json.loads(_signed_content(answer, settings))["Penstock"]
        host, request, events, bundle = ours["host"], ours["request"], ours["events"], ours.get("bundle") or {}
        deployment = request["deployment"]
        sound = isinstance(bundle, dict) and isinstance(events, list) and all(isinstance(each, str) for each in events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Untrusted("The specification of the deployment is not one that this agent understands.") from error
    if not sound:
        raise Untrusted("The specification of the deployment is not one that this agent understands.")
    if host != settings.host:
        raise Untrusted("The specification is for the host {}; this is {}.".format(host, settings.host))
    if deployment != execution_id.rpartition("/")[2]:
        raise Untrusted("The specification is of {}; asked for was {}.".format(deployment, execution_id))
    return Specification(request=request, events=tuple(events), bundle=bundle)


def _signed_content(answer: dict[str, Any], settings: Settings) -> str:
    if answer.get("DeploymentSystem") != "CodeDeploy":
        raise Untrusted("The specification is for another deployment system than CodeDeploy.")
    specification = answer["DeploymentSpecification"]
    envelope = specification.get("VariantEnvelope") or {}
    if specification.get("VariantId") != "penstock" or envelope.get("Format") != _FORMAT:
        raise Untrusted(
            "The specification has no signature that this agent can check. Is the server a Penstock server?"
        )
    payload = json.loads(envelope["Payload"])
    content = payload["content"]
    signature = base64.b64decode(payload["signature"], validate=True)
    if not settings.signing_key.has_signed(content.encode(), signature):
        raise Untrusted(
            "The specification is not signed by the key that this host pinned when it enrolled; nothing was run. If the "
            "server has a new signing key, enrol this host again."
        )
    return str(content)
