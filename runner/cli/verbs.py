"""The verbs, in the order in which `penstock --help` lists them.

Each file has NAME, SUMMARY, DESCRIPTION, EXAMPLE, `declare(parser)` and `run(arguments)`, and imports nothing but the
standard library before it runs.
"""

from runner.cli import (
    continue_,
    deploy,
    init,
    list_,
    logs,
    plan,
    redeploy,
    rollback,
    serve,
    show,
    status,
    stop,
    sync,
    validate,
)

VERBS = (
    *(init, validate, plan, deploy, sync, serve),
    *(status, list_, show, logs),
    *(stop, continue_, rollback, redeploy),
)
