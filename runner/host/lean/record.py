"""Small values with named members, like `typing.NamedTuple`, without what it costs to import `typing` on every start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, dataclass_transform
else:

    def dataclass_transform(**options):
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Members are the annotated names of the class, given by keyword; a value in the class body is the default.

    Never changed after it was made. Raises `TypeError` for a member that is missing or unknown.
    """

    def __init__(self, **members: Any) -> None:
        names = type(self).__annotations__
        for name in members:
            if name not in names:
                raise TypeError("{} has no member {!r}".format(type(self).__name__, name))
        for name in names:
            if name not in members and not hasattr(type(self), name):
                raise TypeError("{} lacks the member {!r}".format(type(self).__name__, name))
        self.__dict__.update(members)

    def replace(self, **members: Any) -> Any:
        """A copy with other *members*."""
        return type(self)(**dict(self.__dict__, **members))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.members() == other.members()

    def __hash__(self) -> int:
        return hash(tuple(self.members().values()))

    def __repr__(self) -> str:
        shown = ", ".join("{}={!r}".format(name, value) for name, value in self.members().items())
        return "{}({})".format(type(self).__name__, shown)

    def members(self) -> dict[str, Any]:
        """All members with their values, defaults included."""
        return {name: getattr(self, name) for name in type(self).__annotations__}
