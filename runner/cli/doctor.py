"""`penstock doctor aws`: what deployments would miss in AWS, before there are any."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from runner.aws.doctor import Finding, Subject

DESCRIPTION = """\
Looks into AWS for everything that the deployment groups of this state folder and of this checkout's HEAD need:
credentials, roles, regions, functions, aliases, clusters, services, Auto Scaling groups, load balancers, alarms,
repositories of images, and every permission. Permissions are asked of iam:SimulatePrincipalPolicy; where that is not
allowed they are tried, with calls that change nothing. For each one that is missing it prints the policy statement that
grants it. Ends with status 1 when anything is missing."""
EXAMPLE = """\
penstock doctor aws
penstock doctor aws resize/production
penstock --output json doctor aws -C ~/src/shop"""

_AT_ONCE = 8  # groups
_WHICH = (
    "say what to examine: `penstock doctor aws`, for what deployments need in AWS. Of one host `penstock host check NAME "
    "--bundle .` tells, of agents `penstock hosts`, and of all that is deployed or watched `penstock status`"
)


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("aws",), metavar="aws", help="the one thing to examine")
    parser.add_argument(
        "places", nargs="*", metavar="APPLICATION[/GROUP]", help="only these (default: all groups that deploy in AWS)"
    )
    parser.add_argument(
        "-C", dest="folder", metavar="PATH", type=Path, default=Path(), help="the checkout (default: ., if it is one)"
    )


def run(arguments: argparse.Namespace) -> int:
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    from runner.aws.doctor import examine
    from runner.cli import exits
    from runner.cli.doctor_subjects import chosen, in_checkout, in_state
    from runner.cli.session import checkout_of, opened
    from runner.errors import UserError

    if arguments.what is None:
        raise UserError(_WHICH)
    with opened(arguments, checkout=checkout_of(arguments, arguments.folder)) as runner:
        known = {**in_state(runner), **in_checkout(arguments, runner)}
        subjects = chosen(list(known.values()), arguments.places)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = list(threads.map(partial(examine, runner.aws), subjects))
    _show(arguments, list(zip(subjects, found, strict=True)))
    wrong = any(finding.is_wrong for findings in found for finding in findings)
    return exits.DEPLOYMENT_FAILED if wrong else exits.FINE


def _show(arguments: argparse.Namespace, examined: "Sequence[tuple[Subject, list[Finding]]]") -> None:
    from runner.model.value import to_json

    if arguments.output == "json":
        print(to_json({"groups": [_as_json(*each) for each in examined], "policies": _policies(examined)}))
        return
    if not examined:
        print("no deployment group deploys in AWS")
    for subject, findings in examined:
        print("\n".join(_lines(subject, findings, verbose=arguments.verbose)))
    for whose, policy in _policies(examined).items():
        print(f"\nThis policy would grant {whose} what it lacks:\n{_indented(policy)}")


def _lines(subject: "Subject", findings: "Sequence[Finding]", *, verbose: bool) -> "Iterator[str]":
    """What is well is one line; *verbose*: each thing by itself."""
    from runner.cli.words import count

    yield f"{subject.application}/{subject.group} in {subject.place}"
    for finding in findings:
        if verbose or finding.verdict != "ok":
            message = f": {finding.message}" if finding.message else ""
            yield f"  {finding.verdict:<8} {finding.what}{message}"
            if finding.statement is not None and _compact(finding.statement) not in message:
                yield f"           {_compact(finding.statement)}"
    yield f"  {count(sum(finding.verdict == 'ok' for finding in findings), 'thing')} of {len(findings)} as needed"


def _as_json(subject: "Subject", findings: "Sequence[Finding]") -> "dict[str, Any]":
    return {
        "application": subject.application,
        "group": subject.group,
        "place": subject.place,
        "findings": findings,
    }


def _policies(examined: "Sequence[tuple[Subject, list[Finding]]]") -> "dict[str, Any]":
    """A whole policy for each role or user that lacks something, to be pasted."""
    lacking: dict[str, list[dict[str, Any]]] = {}
    for _, findings in examined:
        for finding in findings:
            if finding.statement is not None:
                statements = lacking.setdefault(finding.who, [])
                if finding.statement not in statements:
                    statements.append(finding.statement)
    return {whose: {"Version": "2012-10-17", "Statement": each} for whose, each in lacking.items()}


def _compact(statement: "dict[str, Any]") -> str:
    import json

    return json.dumps(statement)


def _indented(policy: "dict[str, Any]") -> str:
    import json

    return json.dumps(policy, indent=2)
