"""What a manifest owns is changed in its repository, and what is configured in the configuration: nowhere else."""

from runner.errors import Refused
from runner.model.application import Application, Owner

_CODE = "OperationNotSupportedException"


def check_not_owned(application: Application) -> None:
    """Raises `Refused`, OperationNotSupported, with the place where to change it."""
    if application.owner:
        raise owned(application.name, application.owner)


def owned(application: str, owner: Owner) -> Refused:
    return Refused(_CODE, f"application {application} belongs to {owner}; change it there")


def configured(host: str) -> Refused:
    return Refused(_CODE, f"{host} is a host of Penstock's configuration; change it there, under [hosts]")
