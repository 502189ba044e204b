"""SHA-256 without loading OpenSSL for a few bytes: `hashlib` takes 12 ms to import, as long as 4 MiB take to hash."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Hash(Protocol):
        def update(self, data: bytes, /) -> None: ...
        def digest(self) -> bytes: ...
        def hexdigest(self) -> str: ...


_WORTH_OPENSSL = 4 << 20  # bytes; it hashes several times faster than the interpreter's own

_asked_for = 0  # bytes; a thousand small files are as much work as a large one
_made_by: dict[bool, Callable[[], Hash]] = {}  # by whether it is worth OpenSSL


def sha256(size: int) -> Hash:
    """A new hash object, like `hashlib.sha256()`, for about *size* bytes."""
    global _asked_for
    _asked_for += size
    is_worth_it = _asked_for >= _WORTH_OPENSSL
    if is_worth_it not in _made_by:
        _made_by[is_worth_it] = _openssl() if is_worth_it else _own()
    return _made_by[is_worth_it]()


def _own() -> Callable[[], Hash]:
    for name in ("_sha2", "_sha256"):  # since Python 3.12; until 3.11
        try:
            found: Callable[[], Hash] = __import__(name).sha256
        except ImportError:
            continue
        return found
    return _openssl()


def _openssl() -> Callable[[], Hash]:
    import hashlib

    return hashlib.sha256
