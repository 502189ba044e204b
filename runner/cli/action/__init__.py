"""`penstock action`: what `action.yml` runs in a workflow of GitHub Actions. Its inputs are in the environment."""

import argparse

DESCRIPTION = """\
What Penstock's GitHub Action runs, for use in a workflow alone: deploys by itself (mode standalone) or asks a server (mode
remote), follows to the end, and fills the log, the annotations, the summary and the outputs of the step. Inputs are
read from INPUT_MODE, INPUT_STATE and so on, as action.yml sets them."""
EXAMPLE = """\
INPUT_STATE=/var/lib/penstock penstock action
INPUT_MODE=remote INPUT_APPLICATION=shop INPUT_DEPLOYMENT_GROUP=production penstock action"""


def declare(parser: argparse.ArgumentParser) -> None:
    """No options: inputs of an action never come near a shell."""


def run(arguments: argparse.Namespace) -> int:
    import os

    from runner.cli.action.step import run_step

    return run_step(arguments, os.environ)
