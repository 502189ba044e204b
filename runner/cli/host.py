"""`penstock host check NAME`: what a bundle would do on a host, without doing it."""

import argparse
from pathlib import Path

DESCRIPTION = """\
Explains what a deployment would do on a host, and does none of it: the scripts of each lifecycle event and the revision
that they come from, the files that would be removed, made, copied and replaced, owners, modes and access lists, the room
that it takes, and everything that would fail. What is checked is a bundle (an archive or a folder), or what a deployment
group has, or another commit of it. Ends with status 1 when the deployment would fail. Nothing on the host changes,
except that the executor is put there if it is missing (over SSH)."""
EXAMPLE = """\
penstock host check web-1 --bundle .
penstock host check web-1 shop/production --revision 5b2f0c41d6a7e8f90123456789abcdef01234567
penstock --output json host check web-1 shop/production --bundle shop.tgz"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", metavar="check", choices=("check",), help="the one thing to do with a host")
    parser.add_argument("name", metavar="NAME", help="the host's name in the configuration")
    parser.add_argument(
        "place",
        metavar="APPLICATION/GROUP",
        nargs="?",
        help="as a deployment to this group (default: the host's only one)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--bundle", metavar="PATH", type=Path, help="an archive (.tar, .tgz, .tar.gz, .zip) or a folder")
    what.add_argument("--revision", metavar="COMMIT", help="another commit of the group's repository")
    parser.add_argument(
        "--appspec", metavar="FILE", help="the AppSpec in the bundle (default: the group's; appspec.yml)"
    )
    parser.add_argument(
        "--file-exists-behavior",
        choices=("DISALLOW", "OVERWRITE", "RETAIN"),
        default="DISALLOW",
        help="what to do with files that are there already (default: DISALLOW)",
    )


def run(arguments: argparse.Namespace) -> int:
    import asyncio

    from runner.cli import exits
    from runner.cli.host_explained import as_json, show
    from runner.cli.host_subject import find
    from runner.cli.session import checkout_here, opened

    with opened(arguments, checkout=checkout_here(arguments)) as runner:
        subject = find(arguments, runner)
        explanation = asyncio.run(runner.check(subject.host, subject.job))
    if arguments.output == "json":
        print(as_json(subject, explanation))
    else:
        show(subject, explanation, everything=arguments.verbose)
    return exits.DEPLOYMENT_FAILED if explanation.problems else exits.FINE
