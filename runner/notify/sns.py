"""Publishes messages to Amazon SNS topics. Keeps no message and tries each once: what fails is the outbox's to repeat."""

import hashlib
import threading
from typing import Any

from runner.errors import UserError, WorldError
from runner.model.value import to_json
from runner.ports import Message

_CONNECT = 4  # seconds
_READ = 5
_SUBJECT = 99  # characters: SNS says "less than 100"

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, "Errors"; names with and without their XML and JSON endings
_USERS_MISTAKE = {"NotFound", "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"}
_OPERATORS_MISTAKE = {
    "AccessDenied",
    "AuthorizationError",
    "EndpointDisabled",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "KMSAccessDenied",
    "KMSDisabled",
    "KMSInvalidState",
    "KMSNotFound",
    "KMSOptInRequired",
    "PlatformApplicationDisabled",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
}


class Sns:
    """Publishes to `sns:<topic ARN>`, with the credentials that boto3 finds. Implements `Notifier`.

    *endpoint_url*: another SNS than Amazon's; boto3 also heeds AWS_ENDPOINT_URL.
    """

    def __init__(self, *, endpoint_url: str | None = None) -> None:
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """As `Notifier.send`. The body is JSON text; the event is a message attribute, for filter policies."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        topic = message.to.removeprefix("sns:")
        try:
            self._client(_region(topic)).publish(**_publication(topic, message))
        except ClientError as error:
            raise _translated(topic, error.response) from error
        except BotoCoreError as error:  # no network, no credentials (yet): the operator may mend it meanwhile
            raise WorldError(f"SNS could not be reached for {topic}: {error}") from error
        except ResponseParserError as error:  # a proxy's own page, say
            raise WorldError(f"what answered for {topic} does not speak as SNS does: {error}") from error

    def _client(self, region: str) -> Any:
        with self._lock:
            if region not in self._clients:
                import boto3
                from botocore.config import Config

                limits = Config(connect_timeout=_CONNECT, read_timeout=_READ, retries={"total_max_attempts": 1})
                session = boto3.session.Session()
                self._clients[region] = session.client(
                    "sns", region_name=region, endpoint_url=self._endpoint_url, config=limits
                )
            return self._clients[region]


def _region(topic: str) -> str:
    parts = topic.split(":")  # arn:PARTITION:sns:REGION:ACCOUNT:TOPIC
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sns" or not all(parts):
        raise UserError(f"{topic!r} is not the ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:TOPIC is expected")
    return parts[3]


def _publication(topic: str, message: Message) -> dict[str, Any]:
    text = to_json(message.body)
    publication = {
        "TopicArn": topic,
        "Subject": _subject(message.subject),
        "Message": text,
        "MessageAttributes": {"event": {"DataType": "String", "StringValue": message.event}},
    }
    if topic.endswith(".fifo"):
        identity = f"{message.id} {message.created_at.isoformat()} {text}"  # two runners may share a topic
        publication["MessageGroupId"] = message.body.get("deploymentId") or "penstock"
        publication["MessageDeduplicationId"] = hashlib.sha256(identity.encode()).hexdigest()
    return publication


def _subject(text: str) -> str:
    """SNS takes printable ASCII only, and not much of it."""
    plain = "".join(each if " " <= each <= "~" else "?" for each in text)
    return plain if len(plain) <= _SUBJECT else plain[: _SUBJECT - 3] + "..."


def _translated(topic: str, response: Any) -> UserError | WorldError:
    error = response.get("Error", {})
    code = str(error.get("Code", "")).removesuffix("Exception")
    said = f"SNS refused a message to {topic}: {code}: {error.get('Message', '')}"
    if code in _USERS_MISTAKE:
        return UserError(f"{said}; does the topic exist, and is it named rightly under `notify`?")
    if code in _OPERATORS_MISTAKE:
        return WorldError(f"{said}; may the runner's credentials publish there?", retryable=False)
    return WorldError(said)
