"""Deliveries that are not taken."""


class Refusal(Exception):
    """An answer of *status*, 4xx. What it tells helps the owner of the repository, and nobody else."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def unsigned() -> Refusal:
    """The one answer to everybody who is not known: no such repository, no webhook, no signature, a wrong one."""
    return Refusal(403, "there is no webhook here, or its signature is wrong")


def conflict(delivery: str) -> Refusal:
    """*delivery*: its ID, which another one had."""
    return Refusal(409, f"delivery {delivery} was here before, with another body")
