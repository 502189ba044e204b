"""How the executor on hosts behaves: what is opted into, how long it waits, how much it keeps."""

import datetime as dt

from runner.model.value import Value


class ExecutorSettings(Value, frozen=True, kw_only=True):
    """The table `[executor]` of the runner's configuration; the same for all hosts.

    *plan_before_removing*: the previous files stay until the new plan is known to be possible. *keep_inside_bundle*:
    sources and scripts must not lead out of the bundle. *environment_allow*: globs of variables of the host's own login
    environment that scripts get too. *max_revisions*, *max_size* (bytes): what a group keeps on a host beside the new
    revision. *term_grace*: how long a script that is out of time has between TERM and KILL. *drain_grace*: how long
    output is waited for after a script has ended.
    """

    plan_before_removing: bool = False
    keep_inside_bundle: bool = False
    environment_allow: tuple[str, ...] = ()
    max_revisions: int = 5
    max_size: int | None = None
    term_grace: dt.timedelta = dt.timedelta(seconds=5)
    drain_grace: dt.timedelta = dt.timedelta(seconds=2)
