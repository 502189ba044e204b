"""The listeners and rules of one deployment: whether they still are as it left them, and how it moves them."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from runner.errors import Refused
from runner.model.services import EcsState
from runner.platforms.services import listeners
from runner.platforms.services.actions import Actions, describe, handed_over, moved, same, shares
from runner.platforms.services.calls import Calls
from runner.platforms.services.routes import Entry
from runner.platforms.services.work import Work

ANY = tuple(range(101))  # what an interrupted deployment may have left

_SEEMS_DONE = "all is as it shall be, or was before the last change"


class Move(NamedTuple):
    """*to*: the actions that an entry shall have. *ours*: those that it may have now unless somebody else was there."""

    entry: Entry
    to: Actions
    ours: tuple[Actions, ...]


def plan(state: EcsState, entries: Iterable[Entry], weight: int, left: Collection[int]) -> list[Move]:
    """Bring *entries* to *weight* percent for the replacement. *left*: the weights that we may have left behind."""
    moves = []
    for entry in entries:
        before = state.before[entry.arn]
        ours = tuple(split(entry, before, each) for each in {*left, weight} if entry.takes_weights or each in (0, 100))
        moves.append(Move(entry, split(entry, before, weight), ours))
    return moves


def back(state: EcsState, entries: Iterable[Entry]) -> list[Move]:
    """Bring *entries* back to what they did before the deployment."""
    return [move._replace(to=state.before[move.entry.arn]) for move in plan(state, entries, 0, ANY)]


def split(entry: Entry, before: Actions, weight: int) -> Actions:
    """What *entry* does when *weight* percent of its requests go to the replacement."""
    if entry.takes_weights:
        return moved(before, entry.blue, entry.green, weight)
    if weight not in (0, 100):
        raise Refused(
            "ELASTIC_LOAD_BALANCING_INVALID",
            f"{entry} belongs to a network load balancer, where traffic moves all at once; use "
            "CodeDeployDefault.ECSAllAtOnce",
        )
    return handed_over(before, entry.blue, entry.green) if weight else before


async def carry_out(work: Work, moves: list[Move], *, doubtful: bool = False) -> None:
    """Change what is not yet as it shall be; nothing, when anything was changed by somebody else. Safe to repeat.

    *doubtful*: another deployment was here a moment ago, so what seems to be as it shall be is looked at again for a while.
    """
    written: set[str] = set()

    def look() -> str:
        foreign = _carry_out(work, moves, written)
        return foreign or (_SEEMS_DONE if doubtful and len(written) < len(moves) else "")

    found = await work.soon(look) if moves else ""
    if found not in ("", _SEEMS_DONE):
        raise Refused("ELASTIC_LOAD_BALANCING_INVALID", found)


def check(calls: Calls, moves: list[Move]) -> str:
    """What somebody else has done to any of them; "" for nothing."""
    return _foreign(moves, listeners.read(calls, [move.entry.arn for move in moves]))


def _carry_out(work: Work, moves: list[Move], written: set[str]) -> str:
    """ModifyListener takes no precondition: all are looked at right before they are written, each once."""
    found = listeners.read(work.calls, [move.entry.arn for move in moves])
    if foreign := _foreign(moves, found):
        return foreign
    for move in moves:
        if move.entry.arn not in written and not _is_done(found[move.entry.arn], move):
            listeners.write(work.calls, move.entry.arn, move.to)
            written.add(move.entry.arn)
            work.say(f"{move.entry} forwards to {describe(move.to)}")
    return ""


def _foreign(moves: list[Move], found: dict[str, Actions]) -> str:
    if gone := [str(move.entry) for move in moves if move.entry.arn not in found]:
        raise Refused("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", f"there is no {' and no '.join(gone)} any more")
    changed = [move for move in moves if not _is_ours(found[move.entry.arn], move)]
    return "; ".join(_told(move, found[move.entry.arn]) for move in changed)


def _is_done(now: Actions, move: Move) -> bool:
    """A group with weight 0 differs from one that is not named: its targets are looked after by the load balancer."""
    return same(now, move.to) and shares(now).keys() == shares(move.to).keys()


def _is_ours(now: Actions, move: Move) -> bool:
    return any(same(now, each) for each in (*move.ours, move.to))


def _told(move: Move, now: Actions) -> str:
    wanted = " or ".join(dict.fromkeys(describe(each) for each in move.ours[:2]))
    return (
        f"somebody else has changed the {move.entry}: it was left with {wanted}, and now has {describe(now)}. It was not "
        "touched. Put it right by hand, then deploy again"
    )
