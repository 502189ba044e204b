"""Manifests that were rendered before: in a repository of a thousand applications, most of a commit is what it was."""

import threading
from typing import TypeAlias

from runner.model.manifest import Manifest
from runner.render.context import Context

MOST = 16 << 20  # characters of their texts, together

_OF_COMMIT = {"commit": "commit", "branch": "branch", "tag": "tag", "repository": "repository", "env": "environment"}
"""Name in templates to the member of `Context`."""

_Known: TypeAlias = tuple[frozenset[str], tuple[object, ...], Manifest]


class Rendered:
    """Manifests by file and text, each with what its templates used of the commit. Safe to use from several threads.

    *most*: characters of text that are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}  # the ones rendered last come last
        self._size = 0

    def find(self, file: str, text: str, context: Context) -> Manifest | None:
        """What rendering *text* anew would make, None when that is not known."""
        known = self._known.get((file, text))
        if known is None:
            return None
        names, values, manifest = known
        return manifest if values == _values(names, context) else None

    def keep(self, file: str, text: str, names: frozenset[str], context: Context, manifest: Manifest) -> None:
        """*names*: the top-level names that its templates use."""
        with self._lock:
            self._drop((file, text))
            self._known[file, text] = names, _values(names, context), manifest
            self._size += len(text)
            while self._size > self._most:
                self._drop(next(iter(self._known)))

    def _drop(self, key: tuple[str, str]) -> None:
        if self._known.pop(key, None) is not None:
            self._size -= len(key[1])


def _values(names: frozenset[str], context: Context) -> tuple[object, ...]:
    """Of those that come with the commit; the others (`application`, `group`, `vars`) are made of the text alone."""
    return tuple((name, getattr(context, member)) for name, member in _OF_COMMIT.items() if name in names)
