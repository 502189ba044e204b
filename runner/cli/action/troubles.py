"""What to tell of a CodeDeploy endpoint that refuses, or does not answer, where it is not AWS that was asked."""

from runner.aws import AwsError

_OF_KEYS = ("IAM_ROLE_MISSING", "IAM_ROLE_PERMISSIONS")


def explained(error: AwsError, endpoint: str | None) -> str:
    """*endpoint*: None for AWS, of which the error itself tells all."""
    if not endpoint:
        return error.message
    if error.code == "TIMEOUT":
        return _unanswered(error, endpoint)
    if error.code in _OF_KEYS and not error.aws_code:
        return (
            f"{endpoint} wants a key: give the step AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its env, of a key that "
            "`penstock keys create --role deployer` makes on the server"
        )
    if error.code in _OF_KEYS:
        whose = (
            f"{endpoint} was asked: a Penstock server takes a key of its own, which `penstock keys create` makes there"
        )
        return f"{error.message} ({whose})"
    return error.message.replace("failed on AWS's side", f"failed at {endpoint}")


def _unanswered(error: AwsError, endpoint: str) -> str:
    from runner.outgoing.connection import reason

    why = reason(error)
    if "WRONG_VERSION_NUMBER" in why:
        hint = "It seems not to speak TLS: is it http:// there?"
    elif "CERTIFICATE" in why.upper():
        hint = "AWS_CA_BUNDLE names a file with the certificate of an authority of your own."
    else:
        hint = "Can this runner reach it, and does `penstock serve --listen` run there?"
    return f"{endpoint} does not answer: {why}. {hint}"
