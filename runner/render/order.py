"""In what order deployment groups follow each other: every `after` looks back."""

from collections.abc import Mapping


def order(after: Mapping[str, str | None]) -> list[str]:
    """The groups as written, but each behind the one it comes after. Groups of a cycle, or behind one, are left out.

    *after*: every group, in the order written, to the group that it comes after.
    """
    ordered: dict[str, None] = {}
    for name in after:
        chain = {name: None}
        while (
            (before := after.get(next(reversed(chain)))) is not None and before not in chain and before not in ordered
        ):
            chain[before] = None
        if before is None or before in ordered:
            ordered |= dict.fromkeys(reversed(chain))
    return [name for name in ordered if name in after]


def cycles(after: Mapping[str, str | None]) -> list[list[str]]:
    """Every cycle once, beginning with the group that is written first: `[a, b, c]` when a comes after b, b after c."""
    found: list[list[str]] = []
    settled: set[str] = set()
    for start in after:
        chain: dict[str, None] = {}
        name: str | None = start
        while name is not None and name not in chain and name not in settled:
            chain[name] = None
            name = after.get(name)
        if name in chain:
            names = list(chain)
            found.append(names[names.index(str(name)) :])
        settled |= chain.keys()
    return found
