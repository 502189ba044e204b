"""Exit statuses: they answer who must act. One table, shown by `penstock --help`."""

FINE = 0
DEPLOYMENT_FAILED = 1
USERS_MISTAKE = 2
WORLDS_FAILURE = 3
OUR_BUG = 70
BUSY = 75
INTERRUPTED = 130

MEANINGS = {
    FINE: "all is well",
    DEPLOYMENT_FAILED: "a deployment failed or was stopped",
    USERS_MISTAKE: "something that you wrote or asked for is wrong; the message says where",
    WORLDS_FAILURE: "the outside failed: a network, a disk, a service; trying again may help",
    OUR_BUG: "a bug in Penstock; the message says what to report",
    BUSY: "another process drives the state folder, and `sync --busy` says that this one should leave",
    INTERRUPTED: "interrupted; what was under way is recorded, and `penstock sync` takes it up again",
}


def table() -> str:
    """The statuses with their meanings, one a line."""
    return "\n".join(f"  {status:>3}  {meaning}" for status, meaning in MEANINGS.items())
