"""Event Install of a blue/green deployment: the replacement's task set, running and healthy, without any traffic."""

from functools import partial

from runner.platforms.services import entrances, settling, task_definitions
from runner.platforms.services.creating import create
from runner.platforms.services.forwarding import replacement_groups
from runner.platforms.services.routes import Entry, production
from runner.platforms.services.work import Work


async def install(work: Work) -> None:
    """Register what is to be registered, create the task set once, wait until it is steady and healthy."""
    work.note(task_definition=await task_definitions.pinned(work))
    await _attach(work)
    work.say(await work.do(partial(create, work)))
    assert work.state.replacement is not None
    made = work.state.replacement.id
    await settling.steady(work, made)
    await settling.healthy(work, replacement_groups(work), lambda: running(work), made)


def running(work: Work) -> int:
    """How many tasks of the replacement shall run."""
    return work.state.replacement.desired if work.state.replacement else 0


async def _attach(work: Work) -> None:
    """Name the replacement's groups, with weight 0, so that the load balancer looks at their targets before any traffic."""
    first: dict[str, Entry] = {}
    for entry in production(work.spec.routes, work.state):
        if entry.takes_weights:
            first.setdefault(entry.green, entry)
    await entrances.carry_out(work, entrances.plan(work.state, first.values(), 0, (0,)))
