"""What an act that failed may have done, where nobody can say. Pure."""

import msgspec

from runner.model.functions import LambdaState
from runner.model.program import Act, TargetState


def attempted(state: TargetState, act: Act) -> TargetState:
    """*state*, as far as it was known before *act*, which died without a word: it may have moved its traffic.

    Whatever undoes this then looks for the one as for the other. A service's listeners are looked at in any case; there it
    counts who was said to have what.
    """
    if act.weight is None:
        return state
    if isinstance(state, LambdaState):
        return msgspec.structs.replace(state, attempted=act.weight)
    return msgspec.structs.replace(state, weight=act.weight)
