"""The environment of hooks: a minimal one of its own, the host's configured one, then CodeDeploy's variables.

Of this process's own environment only what `environment_allow` names is taken over. That is what logging in to the host
gave it; on local hosts it is empty, so that nothing of the control side ever reaches a script.
"""

from __future__ import annotations

import os
import pwd

from runner.host.layout import Layout
from runner.host.lean.stars import fits
from runner.host.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_OWN = dict(os.environ)  # as this process was started; the search for `su` and `sudo` changes it later


def environment_for(request: Request, layout: Layout) -> dict[str, str]:
    """All variables of a script of this request. Later sources win: CodeDeploy's own cannot be overridden."""
    environment = {"PATH": _PATH, "LANG": "C.UTF-8"}
    environment.update(_user())
    environment.update(_allowed(request.options.environment_allow))
    environment.update(request.environment)
    environment.update(request.variables)
    environment.update(
        LIFECYCLE_EVENT=request.event,
        DEPLOYMENT_ID=request.deployment,
        APPLICATION_NAME=request.application,
        DEPLOYMENT_GROUP_NAME=request.group,
        DEPLOYMENT_GROUP_ID=request.group_id,
        PENSTOCK_ROOT=layout.folder,
    )
    return environment


def _allowed(patterns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The variables of this process that one of *patterns* names; only `*` is special."""
    for pattern in patterns:
        for name, value in _OWN.items():
            if fits(name, pattern):
                yield name, value


def _user() -> dict[str, str]:
    """Who this process is; a user ID without an account has a home at `/` and no name."""
    try:
        account = pwd.getpwuid(os.geteuid())
    except KeyError:
        return {"HOME": "/"}
    return {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
