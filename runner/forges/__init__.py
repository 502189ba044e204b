"""The REST APIs of GitHub and Bitbucket: deployments are reported to them, and a GitHub App logs in."""

from runner.forges.all import Forges

__all__ = ["Forges"]
