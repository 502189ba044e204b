"""How each operation's answer leads to its next page, as botocore's models say."""

import functools
from collections.abc import Mapping
from typing import Any


def next_page(
    service: str, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What to ask for next; None when *answer* was the last page, or the only one."""
    tokens = dict(zip(*_tokens(service, operation), strict=True))
    found = {name: answer.get(member) for name, member in tokens.items()}
    following = {name: token for name, token in found.items() if token}
    if not following or all(asked.get(name) == token for name, token in following.items()):
        return None
    return {**asked, **following}


@functools.cache
def _tokens(service: str, operation: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the parameters, and members of the answer before that hold their values. Empty: there are no pages."""
    import botocore.session
    from botocore import xform_name
    from botocore.exceptions import UnknownServiceError

    session = botocore.session.get_session()
    try:
        names = session.get_service_model(service).operation_names
        model = session.get_paginator_model(service)
        said = model.get_paginator(next(name for name in names if xform_name(name) == operation))
    except (UnknownServiceError, StopIteration, ValueError):
        return (), ()
    return _many(said["input_token"]), _many(said["output_token"])


def _many(said: str | list[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)
