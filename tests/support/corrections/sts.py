"""STS: a role can be assumed only if it is there; who may assume it is not asked."""

from typing import Any

from moto.core.exceptions import AccessDeniedError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts import models

from support.keys import ACCOUNT

_CALLER = f"arn:aws:iam::{ACCOUNT}:user/runner"


def apply() -> None:
    plain = models.STSBackend.assume_role

    def assume_role(self: Any, region_name: str, role_session_name: str, role_arn: str, *rest: Any, **more: Any) -> Any:
        try:
            iam_backends[role_arn.split(":")[4]]["aws"].get_role_by_arn(role_arn)
        except (NotFoundException, IndexError):
            raise AccessDeniedError(_CALLER, f"sts:AssumeRole on resource: {role_arn}") from None
        return plain(self, region_name, role_session_name, role_arn, *rest, **more)

    models.STSBackend.assume_role = assume_role
