"""Logging, configured here and nowhere else: short past-tense facts with keys, through structlog.

structlog costs more to import than the whole of `penstock validate`, so nothing imports it before `configure`.
"""

import sys
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


def configure(*, stream: TextIO | None = None, as_json: bool = False, verbose: bool = False) -> None:
    """Send log lines to *stream* (default: standard error), as `key=value` text or one JSON object a line."""
    import logging

    import structlog

    target = stream or sys.stderr
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


def get_logger(**bound: Any) -> Any:
    """A structlog logger with *bound* keys."""
    import structlog

    return structlog.get_logger(**bound)
