"""Asking git servers for refs over HTTP, in the event loop, on connections that are kept. Downloads no objects.

Not a general HTTP client: one small request at a time and connection, HTTP/1.1, small answers in memory.
"""

from runner.sources.git.http.smart import SmartHttp

__all__ = ["SmartHttp"]
