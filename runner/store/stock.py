"""What a deployment was prepared with, kept in its row."""

from runner.model.appspec import AppSpec
from runner.model.fleets import Fleet
from runner.model.revision import Bundle
from runner.model.value import Value


class Stock(Value, frozen=True, kw_only=True):
    """Of a deployment to servers."""

    bundle: Bundle
    appspec: AppSpec
    appspec_file: str | None = None  # where it is not the one that the deployment names


class FleetStock(Stock, frozen=True, kw_only=True):
    """Of one in which the *replacement* takes over from the *original*."""

    original: Fleet
    replacement: Fleet


class Stocked(Value, frozen=True, kw_only=True):
    """What may be in that column: where traffic moves there is no bundle."""

    bundle: Bundle | None = None
