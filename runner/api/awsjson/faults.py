"""What may be wrong with a request, before it has an exception's name, and the body as JSON."""

from typing import Any, Literal

import msgspec

from runner.errors import Refused, dotted
from runner.model.value import from_json

Kind = Literal["type", "missing", "value"]


class Fault(Exception):
    """One thing that is wrong. *kind*: the JSON type, a member that is not there, or a value that is not allowed.

    `path` grows from the inside out while the fault travels up: names of members, indices and keys.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.path: list[str | int] = []

    def under(self, step: str | int) -> "Fault":
        """This fault, one step further out."""
        self.path.insert(0, step)
        return self

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that *body* is; nothing at all is `{}`. Of a name that is there twice, the last one counts.

    Raises `Refused`, SerializationException: not JSON, not UTF-8, nested too deeply, numbers out of range, no object.
    """
    try:
        value: Any = from_json(body, Any) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("SerializationException", f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Refused("SerializationException", "the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise Refused("SerializationException", "the body has to be a JSON object")
    return value
