"""Logging, configured here and nowhere else: short past-tense facts with keys, through structlog.

structlog costs more to import than the whole of `penstock validate`, so nothing imports it before the first line.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO


class Secret(str):
    """A string that never shows itself: its `repr` and formatting print `***`. Use `.reveal()` at the point of use."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        return str.__str__(self)


_pending: Callable[[], None] | None = None  # what `configure` was told, until the first line is logged


def configure(*, stream: TextIO | None = None, as_json: bool = False, verbose: bool = False) -> None:
    """Send log lines to *stream* (default: standard error), as `key=value` text or one JSON object a line."""
    global _pending
    _pending = partial(_configure, stream or sys.stderr, as_json, verbose)


def get_logger(**bound: Any) -> Any:
    """A structlog logger with *bound* keys."""
    return _Logger(bound)


class _Logger:
    """Stands for a structlog logger, and makes it when it is first used: most commands never log anything."""

    def __init__(self, bound: dict[str, Any]) -> None:
        self._bound = bound

    def __getattr__(self, name: str) -> Any:
        import structlog

        global _pending
        if _pending is not None:
            _pending()
            _pending = None
        return getattr(structlog.get_logger(**self._bound), name)


def _configure(target: TextIO, as_json: bool, verbose: bool) -> None:
    import logging

    import structlog

    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
