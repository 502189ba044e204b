"""The verbs, in the order in which `penstock --help` lists them, each in a file of its own.

A verb's file has DESCRIPTION, EXAMPLE, `declare(parser)` and `run(arguments)`, and imports nothing but the standard
library before it runs. Only the verb that is asked for is imported at all.
"""

import argparse
from importlib import import_module
from typing import Protocol, cast

SUMMARIES = {
    "init": "write a first penstock.yaml, appspec.yml and penstock.toml",
    "validate": "check manifests, their AppSpec files and the configuration",
    "plan": "show what deploying this checkout's HEAD would do",
    "deploy": "deploy this checkout's HEAD, now",
    "sync": "poll every configured repository once, deploy what changed, exit",
    "serve": "watch the configured repositories and deploy, until told to stop",
    "health": "whether a process drives the state folder, and answers",
    "status": "what every deployment group has, and what wants attention",
    "list": "deployments, newest first",
    "show": "everything about one deployment, and what to do about it",
    "hosts": "the configured hosts; make the SSH key of one known",
    "host": "explain what a bundle would do on a host, without doing it",
    "doctor": "what deployments would miss in AWS: things, and permissions",
    "agent": "the agent of hosts that ask for work: make its one file, or run it here",
    "keys": "access keys for the wire API, and tokens for agents",
    "logs": "what the scripts of a deployment have printed, or what was done in AWS",
    "stop": "stop a deployment",
    "continue": "end the wait that a deployment is in",
    "rollback": "bring a group back to what it had before a deployment",
    "redeploy": "deploy again what a group last had successfully, or a deployment's revision",
    "action": "what the GitHub Action runs inside a workflow",
}


class Verb(Protocol):
    """What a verb's file holds."""

    DESCRIPTION: str
    EXAMPLE: str

    def declare(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def load(name: str) -> Verb:
    """The file of a verb; those that Python reserves have an underscore behind."""
    module = f"{name}_" if name in ("list", "continue") else name
    return cast(Verb, import_module(f"runner.cli.{module}"))
