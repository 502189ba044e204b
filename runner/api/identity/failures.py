"""Slows down whoever fails to identify itself over and over, by address, so that guessing never gets anywhere.

Many clients may share an address. A key that has signed well here is not shut out with the others: only for failures that
name this very key.
"""

import ipaddress
import time

from runner.api.identity.buckets import Buckets, Seconds
from runner.errors import Refused

OF_ADDRESS = (5.0, 100.0)  # failures a second, and at once
OF_PROVEN_KEY = (1.0, 20.0)


class Failures:
    """Memory is bounded. Safe to use from several threads."""

    def __init__(self, seconds: Seconds = time.monotonic) -> None:
        self._of_address, self._of_key = Buckets(*OF_ADDRESS, seconds), Buckets(*OF_PROVEN_KEY, seconds)

    def check(self, client: str, proven_key: str | None) -> None:
        """Raises `Refused`, Throttling, when there were too many. *proven_key*: the key named, if it signed well before."""
        address = _network(client)
        if not (self._of_key.has(f"{address} {proven_key}") if proven_key else self._of_address.has(address)):
            raise Refused(
                "ThrottlingException", "too many requests from this address were not signed right; wait a minute"
            )

    def count(self, client: str, proven_key: str | None) -> None:
        address = _network(client)
        self._of_address.take(address)
        if proven_key:
            self._of_key.take(f"{address} {proven_key}")


def _network(client: str) -> str:
    """The address; of an IPv6 address the 64 bits that one customer gets."""
    if ":" not in client:
        return client
    try:
        address = ipaddress.IPv6Address(client.partition("%")[0])
    except ValueError:
        return client
    return str(address.ipv4_mapped or ipaddress.IPv6Network((address, 64), strict=False))
