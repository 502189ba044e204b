"""Deployments that would need what this version does not do. They are refused before anything is created."""

from runner.errors import Refused


def _missing(code: str, setting: str, advice: str) -> Refused:
    return Refused(code, f"{setting} is not built yet in this version of Penstock; {advice}")


def refuse_restart() -> Refused:
    return _missing("InvalidInputException", "deploymentMode RESTART", "deploy the revision again (STANDARD)")
