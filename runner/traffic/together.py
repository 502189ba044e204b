"""Several load balancers at once."""

import asyncio
from collections.abc import Awaitable, Iterable

from runner.errors import LoadBalancerFailed


async def together(moves: Iterable[Awaitable[None]]) -> None:
    """Side by side; all are brought to an end before the first failure counts, so that each is as far as it can be.

    Raises `LoadBalancerFailed` with what all of them say.
    """
    ended = await asyncio.gather(*moves, return_exceptions=True)
    failed = [each for each in ended if isinstance(each, BaseException)]
    for each in failed:
        if not isinstance(each, LoadBalancerFailed):
            raise each
    if failed:
        raise LoadBalancerFailed("; ".join(map(str, failed)), retryable=False)
