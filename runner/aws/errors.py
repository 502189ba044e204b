"""The one error of this room."""

from typing import Any

from runner.errors import WorldError


class AwsError(WorldError):
    """A call to AWS that failed, after everything that repeating it can do.

    *code*: CodeDeploy's error code. *aws_code*: AWS's own, such as `ResourceNotFoundException`; "" when nothing answered.
    *operation*: `lambda:UpdateAlias`. *retryable*: waiting longer may help. *statement*: of an IAM policy, that grants what
    was missing. *denied_by*: the kind of policy that forbids it, so that no grant would help.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        operation: str,
        aws_code: str = "",
        retryable: bool = False,
        statement: dict[str, Any] | None = None,
        denied_by: str = "",
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.code = code
        self.aws_code = aws_code
        self.operation = operation
        self.statement = statement
        self.denied_by = denied_by
