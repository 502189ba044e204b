"""Whole fleets of EC2 instances: made, given a load balancer, and ended. See port `Fleets`."""

from runner.platforms.fleets.platform import CloudFleets

__all__ = ["CloudFleets"]
