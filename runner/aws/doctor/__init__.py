"""Finds, before the first deployment, what a deployment group would miss in AWS, things and permissions. Changes nothing."""

from runner.aws.doctor.examining import examine
from runner.aws.doctor.findings import Finding
from runner.aws.doctor.subject import EcrRepository, Subject

__all__ = ["EcrRepository", "Finding", "Subject", "examine"]
