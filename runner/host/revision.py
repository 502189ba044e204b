"""Which revision a lifecycle event's scripts come from.

Source: agent 1.8, "which revision a hook comes from". "Last successful" means the last whose Install succeeded.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from runner.host.layout import Layout, appspec_of, archive_of, read_pointer
from runner.host.outcome import Failure
from runner.host.request import AppSpec, Request, Script

_OF_CURRENT = ("BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
_BEFORE_TRAFFIC = ("BeforeBlockTraffic", "AfterBlockTraffic")
_AFTER_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")


class Scripts(NamedTuple):
    """The scripts of one event, in order, and the archive that they are in. *deployment*: whose archive that is."""

    scripts: tuple[Script, ...]
    archive: str
    deployment: str


def scripts_for(request: Request, layout: Layout) -> Scripts:
    """Find the scripts of the request's event; none when there is no revision that they could come from.

    Raises `Failure` for an event that no host runs, and when the revision or its AppSpec has vanished from this host.
    """
    pointer = _pointer_for(request, layout)
    if pointer is None or os.path.isdir(layout.archive):
        return _of_current(request, layout)
    deployment = read_pointer(pointer)
    if deployment is None:
        return Scripts((), layout.archive, "")
    return _of_earlier(request.event, deployment, pointer)


def _pointer_for(request: Request, layout: Layout) -> str | None:
    """The file that names the revision to use, None for the deployment's own."""
    event = request.event
    reroutes_back = request.creator == "codeDeployRollback" and request.deployment_type == "BLUE_GREEN"
    if event in _BEFORE_TRAFFIC:
        return layout.most_recent if reroutes_back else layout.last_successful
    if event == "ApplicationStop":
        return layout.last_successful
    if event in _AFTER_TRAFFIC:
        return layout.last_successful if reroutes_back else None
    if event in _OF_CURRENT:
        return None
    raise Failure("{} is not a lifecycle event that a host can run.".format(event))


def _of_current(request: Request, layout: Layout) -> Scripts:
    if not os.path.isdir(layout.archive):
        raise Failure(
            "The revision is not on this host: {} does not exist. DownloadBundle has to run before {}.".format(
                layout.archive, request.event
            )
        )
    _check_appspec(layout.archive, request.appspec_file)
    return Scripts(request.appspec.hooks.get(request.event, ()), layout.archive, request.deployment)


def _of_earlier(event: str, deployment: str, pointer: str) -> Scripts:
    try:
        with open(appspec_of(deployment), encoding="utf-8") as file:
            stored = json.load(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Failure(
            "The scripts of {} come from the revision that was installed last, in {}, but that is gone. Let the "
            "deployment ignore the failure of ApplicationStop once, or remove {}.".format(event, deployment, pointer)
        ) from error
    archive = archive_of(deployment)
    _check_appspec(archive, stored["file"])
    hooks = AppSpec.from_json(stored["appspec"]).hooks
    return Scripts(hooks.get(event, ()), archive, os.path.basename(deployment))


def _check_appspec(archive: str, name: str) -> None:
    if not os.path.isfile(os.path.join(archive, name)):
        raise Failure("The AppSpec file {} is not in the revision on this host, {}.".format(name, archive))
