"""What senders hear of their deliveries."""

from runner.api.asgi import CLOSE
from runner.api.direct import Answer
from runner.api.webhooks.refusal import Refusal
from runner.errors import WorldError
from runner.model.delivery import Delivery, Taken

_UNREAD = frozenset({408, 413})  # statuses of requests that were not read to their end


def accepted(delivery: Delivery, taken: Taken) -> Answer:
    """`stored`; `known`, where it was here before; `recorded`, where there is nothing to look for."""
    status = "known" if taken == "Known" else "stored" if delivery.looks else "recorded"
    return Answer(202, {"delivery": delivery.id, "status": status})


def not_accepted(error: Exception) -> Answer:
    """What is no `Refusal` and no `WorldError` is a bug of ours: that is told to the log, not to the sender."""
    if isinstance(error, Refusal):
        return Answer(error.status, {"message": error.message}, (CLOSE,) if error.status in _UNREAD else ())
    if isinstance(error, WorldError):
        return Answer(503, {"message": "it could not be stored; try again"}, ((b"retry-after", b"10"),))
    return Answer(500, {"message": "internal failure; the log knows more"})
