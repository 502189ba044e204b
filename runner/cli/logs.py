"""`penstock logs ID`."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.wiring import Runner

DESCRIPTION = """\
Prints what the scripts of a deployment wrote on each target, target by target in deployment order; of a function or a
service, what was done in AWS, what was waited for, and the end of its hooks' logs. Where one fleet replaces another, what
was done to whole fleets comes first (as target ~fleet)."""
EXAMPLE = """\
penstock logs d-1A2B3C4D5 --target web-3
penstock --output json logs d-1A2B3C4D5"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the deployment; a beginning that no other has will do")
    parser.add_argument("--target", action="append", default=[], metavar="T", help="only of this one; may be repeated")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.session import find_deployment, opened
    from runner.model.value import to_json

    with opened(arguments) as runner:
        _check_kept(runner)
        deployment_id = find_deployment(runner.store, arguments.id)
        texts = {name: runner.logs.read(deployment_id, name) for name in _targets(arguments, runner, deployment_id)}
    if arguments.output == "json":
        logs = [{"target": name, "text": text} for name, text in texts.items()]
        print(to_json({"deployment_id": deployment_id, "logs": logs}))
    else:
        _print(texts)
    return exits.FINE


def _check_kept(runner: "Runner") -> None:
    """Raises `UserError`."""
    from runner.errors import UserError

    if runner.is_elsewhere:
        raise UserError(
            f"what scripts print is not kept in {runner.place}; the run that deployed has printed it. `penstock show ID` "
            "has the last lines of what failed"
        )


def _targets(arguments: argparse.Namespace, runner: "Runner", deployment_id: str) -> list[str]:
    from runner.errors import UserError
    from runner.model.work import WHOLE_FLEET

    known = [target.id for target in runner.store.targets(deployment_id)]
    if runner.logs.read(deployment_id, WHOLE_FLEET):
        known.insert(0, WHOLE_FLEET)
    for name in arguments.target:
        if name not in known:
            raise UserError(f"{deployment_id} has no target {name}; it has {', '.join(known) or 'none yet'}")
    return [name for name in known if not arguments.target or name in arguments.target]


def _print(texts: dict[str, str]) -> None:
    """As it was written, but for what could steer a terminal."""
    from runner.cli.words import printable
    from runner.model.work import WHOLE_FLEET

    printed = {name: text for name, text in texts.items() if text}
    for name, text in printed.items():
        if len(texts) > 1:
            print(f"==> {'whole fleets' if name == WHOLE_FLEET else name} <==")
        shown = printable(text) if sys.stdout.isatty() else text
        print(shown, end="" if shown.endswith("\n") else "\n")
    if not printed:
        print("nothing was printed yet", file=sys.stderr)
