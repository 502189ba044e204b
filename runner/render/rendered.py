"""Manifests that were rendered before: in a repository of a thousand applications, most of a commit is what it was."""

from typing import TypeAlias

from runner.model.manifest import Manifest
from runner.render.context import Context

MOST = 20_000  # manifests; some 5 KB each

_OF_COMMIT = {"commit": "commit", "branch": "branch", "tag": "tag", "repository": "repository", "env": "environment"}
"""Name in templates to the member of `Context`."""

_Known: TypeAlias = tuple[frozenset[str], tuple[object, ...], Manifest]


class Rendered:
    """Manifests by file and text, each with what its templates used of the commit. Safe to use from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[tuple[str, str], _Known] = {}  # the ones rendered last come last

    def find(self, file: str, text: str, context: Context) -> Manifest | None:
        """What rendering *text* anew would make, None when that is not known."""
        names, values, manifest = self._known.get((file, text), (frozenset[str](), None, None))
        return manifest if values == _values(names, context) else None

    def keep(self, file: str, text: str, names: frozenset[str], context: Context, manifest: Manifest) -> None:
        """*names*: the top-level names that its templates use."""
        self._known.pop((file, text), None)
        self._known[file, text] = names, _values(names, context), manifest
        while len(self._known) > self._most:
            self._known.pop(next(iter(self._known)), None)


def _values(names: frozenset[str], context: Context) -> tuple[object, ...]:
    """Of those that come with the commit; the others (`application`, `group`, `vars`) are made of the text alone."""
    return tuple((name, getattr(context, member)) for name, member in _OF_COMMIT.items() if name in names)
