"""Deployments that would need what this version does not do. They are refused before anything is created."""

from runner.errors import Refused
from runner.model.application import Group


def check_built(group: Group) -> None:
    """Raises `Refused` when a deployment to servers needs more than in-place work."""
    if group.platform != "Server":
        return
    style = group.settings.declared.get("deploymentStyle") or {}
    if style.get("deploymentType") == "BLUE_GREEN":
        raise _missing("InvalidInputException", "deploymentType BLUE_GREEN on servers", "set IN_PLACE")


def _missing(code: str, setting: str, advice: str) -> Refused:
    return Refused(code, f"{setting} is not built yet in this version of Penstock; {advice}")


def refuse_restart() -> Refused:
    return _missing("InvalidInputException", "deploymentMode RESTART", "deploy the revision again (STANDARD)")
