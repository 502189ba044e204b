"""`penstock plan`: exactly what `penstock deploy` would do."""

import argparse

from runner.cli.deploy import choose_manifests

DESCRIPTION = """\
Shows what `penstock deploy` would do with this checkout's HEAD, and does nothing: deployment groups in order, what each
has now, its hosts in deployment order, batches and holds, how many hosts may be out of service or fail; for functions
and services the weights and waits; rollback and notifications. The earliest end counts waits only, the latest also
every script's and hook's timeout, but neither the time it takes to download and copy files nor deployments that are
under way. AWS is asked for what the revision is, and for nothing else."""
EXAMPLE = """\
penstock plan
penstock --output json plan --group production"""


def declare(parser: argparse.ArgumentParser) -> None:
    choose_manifests(parser)


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.head import at_head
    from runner.cli.planned import outline, show
    from runner.cli.screen import console
    from runner.cli.session import note
    from runner.model.value import to_json

    with at_head(arguments, hold="no") as head:
        service, checkout = head.runner.service, head.checkout
        state, wanted = service.state(), head.wanted()
        for message in head.absent(wanted):
            note(f"the deployment will fail: {message}")
        groups = [
            group
            for each in wanted
            for group in outline(
                service.forecast(
                    each.manifest, each.revision, each.groups, head.runner.flow.specs(each.manifest, each.revision)
                ),
                state,
                head.script_seconds(each),
            )
        ]
        if arguments.output == "json":
            print(to_json({"commit_id": checkout.commit_id, "branch": checkout.branch, "groups": groups}))
        else:
            show(console(), checkout, groups)
    return exits.FINE
