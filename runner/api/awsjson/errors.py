"""What a refusal looks like on the wire: a status, and JSON with `__type` and `message`. Also as CBOR, for one refusal."""

import msgspec

from runner.ports.identity import NOT_IDENTIFIED, Answer

_STATUS = {
    **dict.fromkeys(NOT_IDENTIFIED, 403),
    "MethodNotAllowedException": 405,
    "RequestTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "UnsupportedMediaTypeException": 415,
    "InternalFailure": 500,
    "ServerException": 500,
    "ServiceUnavailableException": 503,
}


def refusal(code: str, message: str) -> Answer:
    """The answer that is the exception *code*. Exceptions of CodeDeploy itself have status 400."""
    body = msgspec.json.encode({"__type": code, "message": message.encode(errors="replace").decode()})
    return Answer(_STATUS.get(code, 400), body.decode())


def as_cbor(content: dict[str, str]) -> bytes:
    """*content* as a CBOR map of texts: to a client that expects CBOR, `{` is the head of a text of exabytes."""
    items = [item for pair in content.items() for item in pair]
    return bytes([0xA0 | len(content)]) + b"".join(_cbor_text(item.encode()) for item in items)


def _cbor_text(text: bytes) -> bytes:
    """Source: RFC 8949, section 3.1, major type 3 with its length in four bytes."""
    return b"\x7a" + len(text).to_bytes(4, "big") + text
