"""What went wrong in a thread of the fake cloud, told in its log: each thing once, however often it comes again."""

import sys
import traceback

_told: set[str] = set()
_MOST = 1000  # different ones


def complain() -> None:
    """Print the exception that is being handled, with its traceback, unless it was told already."""
    text = traceback.format_exc()
    if text not in _told and len(_told) < _MOST:
        _told.add(text)
        print(text, file=sys.stderr, flush=True)
