"""The environment of hooks: a minimal one of its own, the host's configured one, then CodeDeploy's variables.

Nothing is taken over from this process: what the control side was started with never reaches a script.
"""

from __future__ import annotations

import os
import pwd

from runner.host.layout import Layout
from runner.host.request import Request

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment_for(request: Request, layout: Layout) -> dict[str, str]:
    """All variables of a script of this request. Later sources win: CodeDeploy's own cannot be overridden."""
    environment = {"PATH": _PATH, "LANG": "C.UTF-8"}
    environment.update(_user())
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


def _user() -> dict[str, str]:
    """Who this process is; a user ID without an account has a home at `/` and no name."""
    try:
        account = pwd.getpwuid(os.geteuid())
    except KeyError:
        return {"HOME": "/"}
    return {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
