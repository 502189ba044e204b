"""Hosts zone by zone: in which order, and how many are in each."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from runner.model.rollout import Rollout
from runner.model.target import InstanceHealth


def zone_by_zone(
    order: Sequence[InstanceHealth], zones: Mapping[str, str], rollout: Rollout
) -> tuple[list[InstanceHealth], list[int]]:
    """The hosts in deployment order, and the sizes of their zones; no sizes where *rollout* does not go by zones.

    *zones*: host to availability zone. Zones follow each other by name, so that a plan says what will happen; inside each
    the *order* stays.
    """
    if rollout.zonal is None:
        return list(order), []
    arranged = sorted(order, key=lambda host: zones[host.target])
    return arranged, [len(list(some)) for _, some in groupby(arranged, key=lambda host: zones[host.target])]
