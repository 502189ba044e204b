"""Whether hooks can run, found before anything has moved: the last of them may be due ten hours later.

Source: Lambda API reference, "Invoke": DryRun finds out whether the function is there and may be invoked, and runs nothing.
"""

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.program import TrafficJob
from runner.platforms.hooks import words
from runner.platforms.hooks.invocation import Caller


def check_hooks(aws: Caller, job: TrafficJob, *, serves: bool) -> None:
    """Blocks. Raises `Refused`, or `WorldError` where AWS does not say. A rollback has no hooks."""
    if job.restoring is not None:
        return
    for event, function in job.spec.hooks.items():
        if not serves:
            raise Refused(words.FAILED, words.unheard(event, function))
        try:
            aws.call(job.place, "lambda", "invoke", {"FunctionName": function, "InvocationType": "DryRun"})
        except AwsError as error:
            if error.retryable:
                raise
            raise Refused(words.code_of(error), words.unable(event, function, error)) from error
