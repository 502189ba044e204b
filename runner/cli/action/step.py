"""One run of the action: inputs in, deployment out, and whatever happens, the outputs and the summary are written."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from runner.cli import exits
from runner.cli.action.annotations import annotate, tell_end
from runner.cli.action.commands import Screen
from runner.cli.action.files import StepFiles
from runner.cli.action.inputs import Inputs, read
from runner.cli.action.outcome import Outcome
from runner.cli.action.summary import render
from runner.errors import InvalidFiles, Mistake, UserError, WorldError


class Mode(Protocol):
    """How a mode deploys: returns the exit status, and calls *tell* whenever there is news."""

    def __call__(
        self, arguments: argparse.Namespace, inputs: Inputs, screen: Screen, tell: Callable[[Outcome], None]
    ) -> int: ...


class Step:
    """Keeps the outputs and the summary true, from the first moment on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._files, self._environ = StepFiles(environ), environ
        self._region: str | None = None
        self.outcome = Outcome()
        self.tell(self.outcome)

    def tell(self, outcome: Outcome) -> None:
        self.outcome = outcome
        url = _url(self._environ, outcome, self._region)
        self._files.put({"deployment-ids": "\n".join(outcome.ids), "status": outcome.status, "url": url})
        self._files.put_summary(render(outcome))

    def add(self, note: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        """What ended it, beside what is known."""
        self.tell(self.outcome._replace(notes=(*self.outcome.notes, note), mistakes=mistakes))

    def is_of_aws(self, region: str | None) -> None:
        """The deployments have pages in AWS's console."""
        self._region = region


def run_step(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Returns the exit status; raises nothing that a workflow's log would have to show."""
    screen, step = Screen(sys.stdout), Step(environ)
    with screen.in_place():
        try:
            return _deploy(arguments, environ, screen, step)
        except InvalidFiles as error:
            annotate(screen, error.mistakes)
            step.add("Files are wrong, and nothing was begun.", error.mistakes)
            return exits.USERS_MISTAKE
        except (UserError, WorldError) as error:
            screen.annotate("error", "Penstock", error.message)
            step.add(error.message)
            return exits.USERS_MISTAKE if isinstance(error, UserError) else exits.WORLDS_FAILURE
        except KeyboardInterrupt:
            step.add("Cancelled before a deployment was made.")
            return exits.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last door; what it prints must be inert as well
            from runner.cli.failure import report

            screen.annotate("error", "Penstock", f"this is a bug in Penstock: {type(error).__name__}: {error}")
            step.add(f"This is a bug in Penstock: {type(error).__name__}.")
            return report(error, arguments)


def _deploy(arguments: argparse.Namespace, environ: Mapping[str, str], screen: Screen, step: Step) -> int:
    inputs = read(environ)
    mode: Mode
    if inputs.mode == "remote":
        from runner.cli.action.remote import deploy as mode
        from runner.cli.action.remote import region_of

        step.is_of_aws(None if inputs.endpoint else region_of(inputs, environ))
    else:
        from runner.cli.action.standalone import deploy as mode
    status = mode(arguments, inputs, screen, step.tell)
    for rollout in step.outcome.rollouts:
        tell_end(screen, rollout)
    return status


def _url(environ: Mapping[str, str], outcome: Outcome, region: str | None) -> str:
    """The page of the deployment in AWS's console; else that of this run, where the summary is."""
    if region and outcome.ids:
        suffix = {"cn": "amazonaws.cn", "us-gov": "amazonaws-us-gov.com"}.get(
            region.rpartition("-")[0].rpartition("-")[0]
        )
        host = f"{region}.console.{suffix or 'aws.amazon.com'}"
        return f"https://{host}/codesuite/codedeploy/deployments/{outcome.ids[0]}?region={region}"
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
