"""One GET, judged by its status."""

from urllib.parse import unquote

from runner.errors import UserError
from runner.model.checks import HttpCheck


def http_failure(check: HttpCheck) -> str | None:
    """Why *check* fails; None when it passes. Blocks for its time-out at most; raises nothing. Redirects are not followed.

    Never asks link-local addresses: a manifest must not read the credentials of this machine.
    """
    from urllib3.exceptions import HTTPError, LocationParseError
    from urllib3.util import Timeout, make_headers, parse_url

    from runner.outgoing.connection import Limits, pool

    try:
        url = parse_url(check.url)
    except LocationParseError:
        return f"{check.url} is no URL"
    if url.scheme not in ("http", "https") or not url.hostname:
        return f"{check.url} is not an http or https URL"
    where = str(url._replace(auth=None, query=None))  # both may hold secrets
    headers = {"User-Agent": "penstock", **(make_headers(basic_auth=unquote(url.auth)) if url.auth else {})}
    timeout = Timeout(connect=check.timeout, read=check.timeout)
    try:
        with pool(url, Limits(check.timeout, check.timeout)) as connections:
            answer = connections.urlopen(
                "GET",
                url.request_uri,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=timeout,
                preload_content=False,
            )
            answer.close()
    except UserError as error:
        return error.message
    except (HTTPError, OSError, UnicodeError) as error:
        return f"{where} did not answer: {_innermost(error)}"
    return None if answer.status == check.expect else f"{where} answered {answer.status}, not {check.expect}"


def _innermost(error: BaseException) -> str:
    """urllib3 wraps what happened in what it did about it."""
    while (inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = inner
    return str(error) or type(error).__name__
