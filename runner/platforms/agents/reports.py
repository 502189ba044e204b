"""What agents report, as values: how a command ended, and pieces of output. Nothing that they send is trusted."""

import datetime as dt
import json
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard, get_args

from runner.errors import Refused
from runner.model.command import Outcome
from runner.model.target import Diagnostics
from runner.platforms.agents.identifiers import REFUSED

_Code: TypeAlias = Literal[
    "Success", "ScriptMissing", "ScriptNotExecutable", "ScriptTimedOut", "ScriptFailed", "UnknownError"
]
_CODES: dict[Any, _Code] = {  # the official agent's numbers; 5, 6, 7 and "Unknown" have no name of their own
    0: "Success",
    1: "ScriptMissing",
    2: "ScriptNotExecutable",
    3: "ScriptTimedOut",
    4: "ScriptFailed",
} | {name: name for name in get_args(_Code)}
_LONGEST_MESSAGE = 4096  # characters
_LONGEST_LOG = 4096
_LONGEST_NAME = 1024
_LAST_OFFSET = 1 << 62


class Piece(NamedTuple):
    """Output between two positions in the host's log, in bytes. *begins*: None where the agent does not say."""

    text: str
    begins: int | None
    ends: int


def outcome(status: str, payload: str) -> Outcome:
    """How a command ended. *status* decides; a *payload* that says nothing sensible is told in the message."""
    succeeded = status == "Succeeded"
    said, trouble = _object(payload)
    code = _code(said.get("error_code"), succeeded)
    message = _text(said.get("message"), _LONGEST_MESSAGE) or ("" if succeeded else _without_words(said))
    diagnostics = Diagnostics(
        error_code=code,
        script_name=_text(said.get("script_name"), _LONGEST_NAME),
        message=" ".join(filter(None, (message, trouble))),
        log_tail=_text(said.get("log"), _LONGEST_LOG, end=True),
    )
    return Outcome(
        succeeded=succeeded,
        diagnostics=diagnostics,
        started_at=_time(said.get("started_at")),
        ended_at=_time(said.get("ended_at")),
    )


def piece(payload: str) -> Piece:
    """Raises `Refused` for what is not a piece of output."""
    said, trouble = _object(payload)
    text, begins, ends = said.get("log"), said.get("from"), said.get("offset")
    if trouble or not isinstance(text, str) or not _is_offset(ends) or not (begins is None or _is_offset(begins)):
        raise Refused(REFUSED, 'Diagnostics should be {"log": text, "from": number, "offset": number} as JSON')
    return Piece(_clean(text), begins, ends)


def _object(payload: str) -> tuple[dict[str, Any], str]:
    """What *payload* says, and what is wrong with it, "" when nothing is."""
    try:
        said = json.loads(payload or "{}")
    except (ValueError, RecursionError):
        return {}, "The agent's diagnostics are not JSON."
    return (said, "") if isinstance(said, dict) else ({}, "The agent's diagnostics are not a JSON object.")


def _code(said: Any, succeeded: bool) -> _Code:
    if succeeded:
        return "Success"
    known = _CODES.get(said, "UnknownError") if isinstance(said, int | str) else "UnknownError"
    return "UnknownError" if known == "Success" else known


def _without_words(said: dict[str, Any]) -> str:
    return f"The agent reported a failure without a message (error code {_text(str(said.get('error_code')), 40)})."


def _text(said: Any, longest: int, *, end: bool = False) -> str:
    if not isinstance(said, str):
        return ""
    clean = _clean(said)
    return clean[-longest:] if end else clean[:longest]


def _clean(text: str) -> str:
    """*text* without halves of surrogate pairs, which JSON can say and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _time(said: Any) -> dt.datetime | None:
    try:
        time = dt.datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else None


def _is_offset(said: Any) -> TypeGuard[int]:
    return type(said) is int and 0 <= said < _LAST_OFFSET
