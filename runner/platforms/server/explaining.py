"""The control side of a check: asks a host what a deployment would do there. `runner.host.checks.check` is its other end."""

import json
from collections import defaultdict
from typing import Any

import msgspec

from runner.errors import WorldError
from runner.model.explanation import Explanation
from runner.model.value import from_plain
from runner.platforms.server.connection import Broken, Connection
from runner.platforms.server.supply import Need, Supply

_NUMBER = 1  # a connection serves one check


async def explain(connection: Connection, request: dict[str, Any], supply: Supply) -> Explanation:
    """Have the host explain *request*. *supply*: what it may ask for of the bundle.

    Raises `WorldError` when it cannot, `Broken` when the connection breaks.
    """
    await connection.send(msgspec.json.encode({"id": _NUMBER, "check": request}) + b"\n")
    lists: defaultdict[str, list[Any]] = defaultdict(list)
    while True:
        answer = _parsed(await connection.receive_line())
        for name, entries in answer.get("explaining", {}).items():
            lists[name] += entries
        if "need" in answer:
            await supply.answer(_NUMBER, from_plain(answer["need"], Need))  # type: ignore[arg-type]
        if "end" in answer:
            raise WorldError(
                "the executor on the host does not know checks; it is of an older version", retryable=False
            )
        if "explained" in answer:
            if failure := answer["explained"].get("failure"):
                raise WorldError(failure, retryable=False)
            return _value(lists)


def _parsed(line: bytes) -> dict[str, Any]:
    """By the standard library, as names of files in other encodings come as lone surrogates."""
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Broken(f"the executor on the host sent what is not an answer: {error}") from error
    return answer if isinstance(answer, dict) else {}


def _value(lists: dict[str, list[Any]]) -> Explanation:
    try:
        return from_plain(lists, Explanation)
    except msgspec.ValidationError as error:
        raise Broken(f"the executor on the host sent what is not an explanation: {error}") from error
