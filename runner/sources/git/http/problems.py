"""What went wrong with a git server over HTTP, for people, in the words that `runner.sources.git.remote` has."""

import socket
import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

from runner.config import RepositoryConfig
from runner.errors import RunnerError, Throttled, UserError, WorldError
from runner.sources.git import remote
from runner.sources.git.http.connection import BrokenAnswer, Closed, Response


def refused(response: Response, tried: Sequence[str]) -> WorldError:
    """An answer that is not the one we want. *tried*: descriptions of the credentials that were shown."""
    status = response.status
    if status == 401:
        return WorldError(f"access refused; tried {', '.join(tried)}" if tried else remote.NOBODY)
    if status == 403:
        return WorldError(f"{remote.REFUSED} (status 403)")
    if status in (404, 410):
        return WorldError(f"{remote.NONE_THERE} (status {status}); or is it private, and closed to our `credentials`?")
    if status >= 500:
        return WorldError(f"the server is in trouble (status {status})")
    if status == 200 and response.body[4:8] == b"ERR ":
        said = response.body[8:400].decode(errors="replace").strip()
        return WorldError(f"the server says: {remote.redacted(said)}")
    return WorldError(f"the server's answer is not git's (status {status})")


def moved(own: SplitResult, here: SplitResult, elsewhere: str) -> SplitResult:
    """The address that we are sent to, from *here*; *own* is what was configured.

    Raises `WorldError` for another server, which must not see our password, and for what is no repository's address.
    """
    there = urlsplit(urljoin(here.geturl(), elsewhere))
    shown = remote.redacted(there._replace(query="", fragment="").geturl()).removesuffix("/info/refs")
    upgraded = (own.scheme, there.scheme) == ("http", "https") and there.hostname == own.hostname
    if _server(there) != _server(own) and not upgraded:
        raise WorldError(f"redirected to {shown}; if you trust it, configure that address instead")
    if not there.path.endswith("/info/refs") or there.query != own.query or not is_plain(there.geturl()):
        raise WorldError(f"redirected to {shown}, where no repository is; does it want us to log in?")
    return there


def is_plain(url: str) -> bool:
    """Whether *url* can stand in a request as it is."""
    return url.isascii() and url.isprintable() and " " not in url


def told(config: RepositoryConfig, error: Exception) -> Exception:
    """*error* with the repository's name and address; what is a bug of ours stays as it is."""
    if isinstance(error, UserError):
        return error
    why = _why(error, urlsplit(config.url).hostname or "")
    if why is None:
        return error
    message = f"repository {config.name} at {remote.redacted(config.url)}: {why}"
    if isinstance(error, Throttled):
        return Throttled(message, error.wait)
    return WorldError(message, retryable=not isinstance(error, WorldError) or error.retryable)


def _server(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _why(error: Exception, host: str) -> str | None:
    match error:
        case RunnerError():
            return error.message
        case ssl.SSLCertVerificationError():
            return f"{remote.untrusted(host)} ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case TimeoutError():
            return remote.SILENT
        case socket.gaierror():
            return f"{remote.UNRESOLVED} ({error.strerror})"
        case ConnectionRefusedError():
            return remote.NOT_LISTENING
        case OSError():
            return f"it cannot be reached: {error.strerror or error}"
        case Closed():
            return "the server closed the connection before it had answered"
        case BrokenAnswer():
            return f"the server {error}"
    return None
