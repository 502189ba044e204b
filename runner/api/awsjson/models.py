"""The service models: CodeDeploy's, as botocore ships it, and the agents' command API, as we wrote it down.

A model is a plain dict in botocore's own format (`service-2.json`). Parsing one takes tens of milliseconds, so nothing
does it before a request or a test asks.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

Model = dict[str, Any]
"""`{"metadata", "operations", "shapes", ...}` as in a `service-2.json`."""


@cache
def codedeploy() -> Model:
    """CodeDeploy's own model: 47 operations."""
    from botocore.loaders import Loader

    model: Model = Loader().load_service_model("codedeploy", "service-2")
    return model


@cache
def commands() -> Model:
    """The command API that agents call: 5 operations."""
    model: Model = json.loads(files("runner.api.agents").joinpath("service-2.json").read_bytes())
    return model


@cache
def commands_secure() -> Model:
    """The same operations as agents with `enable_auth_policy` call them: another target, another signing name.

    Source: the official agent's second service model, of 2019-11-11.
    """
    model = commands()
    flavour = {
        "apiVersion": "2019-11-11",
        "endpointPrefix": "codedeploy-commands-secure",
        "serviceFullName": "AWS CodeDeploy Command Service Secure",
        "serviceId": "CodeDeployCommandSecure",
        "signingName": "codedeploy-commands-secure",
        "targetPrefix": "CodeDeployCommandService",
        "uid": "codedeploycommandsecure-2019-11-11",
    }
    return {**model, "metadata": {**model["metadata"], **flavour}}


def wire_name(member: str, reference: dict[str, Any]) -> str:
    """What a member is called in JSON."""
    name: str = reference.get("locationName", member)
    return name
