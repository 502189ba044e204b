"""Which revision a lifecycle event's scripts come from.

Source: agent 1.8, "which revision a hook comes from". "Last successful" means the last whose Install succeeded.
"""

from __future__ import annotations

import os

from runner.host.files.instructions import is_inside
from runner.host.layout import Layout, appspec_of, archive_of, read_pointer
from runner.host.lean import plain_json
from runner.host.lean.record import Record
from runner.host.outcome import Failure
from runner.host.request import AppSpec, Request, Script

_OF_CURRENT = ("BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
_BEFORE_TRAFFIC = ("BeforeBlockTraffic", "AfterBlockTraffic")
_AFTER_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")


class Scripts(Record):
    """The scripts of one event, in order, and the archive that they are in. *deployment*: whose archive that is."""

    scripts: tuple[Script, ...]
    archive: str
    deployment: str

    def path_of(self, script: Script) -> str:
        """Where *script* is on this machine."""
        return os.path.join(self.archive, script.location.lstrip("/"))


def scripts_for(request: Request, layout: Layout) -> Scripts:
    """Find the scripts of the request's event; none when there is no revision that they could come from.

    Raises `Failure` for an event that no host runs, when the revision or its AppSpec has vanished from this host, and
    for a script outside the bundle when `keep_inside_bundle` is chosen.
    """
    found = _find(request, layout)
    if request.options.keep_inside_bundle:
        _keep_inside(found)
    return found


def _find(request: Request, layout: Layout) -> Scripts:
    pointer = pointer_for(request, layout)
    if pointer is None or os.path.isdir(layout.archive):
        return _of_current(request, layout)
    deployment = read_pointer(pointer)
    if deployment is None:
        return Scripts(scripts=(), archive=layout.archive, deployment="")
    return _of_earlier(request.event, deployment, pointer)


def _keep_inside(found: Scripts) -> None:
    """Refuse the event before anything runs when one of its scripts is not in the archive that it should be in."""
    archive = os.path.realpath(found.archive)
    real = {script.location: os.path.realpath(found.path_of(script)) for script in found.scripts}
    outside = [location for location, path in real.items() if not is_inside(path, archive)]
    if outside:
        message = "Script at specified location: {} leads out of the bundle, to {}; `keep_inside_bundle` forbids that."
        raise Failure("\n".join(message.format(each, real[each]) for each in outside), script=outside[0])


def pointer_for(request: Request, layout: Layout) -> str | None:
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
    scripts = request.appspec.hooks.get(request.event, ())
    return Scripts(scripts=scripts, archive=layout.archive, deployment=request.deployment)


def _of_earlier(event: str, deployment: str, pointer: str) -> Scripts:
    try:
        with open(appspec_of(deployment), encoding="utf-8") as file:
            stored = plain_json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Failure(
            "The scripts of {} come from the revision that was installed last, in {}, but that is gone. Let the "
            "deployment ignore the failure of ApplicationStop once, or remove {}.".format(event, deployment, pointer)
        ) from error
    archive = archive_of(deployment)
    _check_appspec(archive, stored["file"])
    hooks = AppSpec.from_json(stored["appspec"]).hooks
    return Scripts(scripts=hooks.get(event, ()), archive=archive, deployment=os.path.basename(deployment))


def _check_appspec(archive: str, name: str) -> None:
    if not os.path.isfile(os.path.join(archive, name)):
        raise Failure("The AppSpec file {} is not in the revision on this host, {}.".format(name, archive))
