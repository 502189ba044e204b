"""Whether an answer is one that CodeDeploy's model and botocore's own parser accept."""

import json
from typing import Any

from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

COMMON = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidOperationException",  # what is deployed to is not deleted; no exception of those operations says so
        "InvalidNextTokenException",  # ListTagsForResource has tokens, and no exception for them
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "OperationNotSupportedException",  # what a manifest owns is not changed through the API
        "RequestEntityTooLargeException",
        "SerializationException",
        "ThrottlingException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "UnsupportedMediaTypeException",
        "ValidationException",
    }
)
"""Exceptions that any operation may answer, whether it declares them or not."""


class Judge:
    """Knows one service model, as a dict."""

    def __init__(self, model: dict[str, Any]) -> None:
        self._model = model
        self._service = ServiceModel({**model, "metadata": {**model["metadata"], "protocol": "json"}})
        self._parser = create_parser("json")

    def judge(self, operation: str, status: int, headers: dict[str, str], body: bytes) -> str:
        """The exception that was answered, "" for a success. Fails when the answer is not one that may be given."""
        described = self._service.operation_model(operation)
        assert status < 500, (status, body)
        assert headers["content-type"] == "application/x-amz-json-1.1"
        assert len(headers["x-amzn-requestid"]) == 36
        answer = {"status_code": status, "headers": headers, "body": body}
        parsed = self._parser.parse(answer, described.output_shape)
        parsed.pop("ResponseMetadata")
        if status == 200:
            self._judge_output(described.output_shape, parsed, json.loads(body))
            return ""
        error = parsed["Error"]
        declared = {shape.name for shape in described.error_shapes}
        assert error["Code"] in declared | COMMON, f"{operation} may not answer {error['Code']}: {error['Message']}"
        assert error["Message"]
        assert status in (400, 403, 413, 415), status
        return str(error["Code"])

    def _judge_output(self, shape: Any, parsed: dict[str, Any], raw: Any) -> None:
        if shape is None:
            assert raw == {}
            return
        report = ParamValidator().validate(parsed, shape)
        assert not report.has_errors(), report.generate_report()
        _only_known(self._model, shape.name, raw)


def _only_known(model: dict[str, Any], name: str, raw: Any) -> None:
    """*raw* has no nulls and no members beyond the shape's."""
    shape = model["shapes"][name]
    assert raw is not None, name
    match shape["type"]:
        case "structure":
            for member, value in raw.items():
                assert member in shape["members"], f"{name} has no member {member}"
                _only_known(model, shape["members"][member]["shape"], value)
        case "list":
            for value in raw:
                _only_known(model, shape["member"]["shape"], value)
        case "map":
            for value in raw.values():
                _only_known(model, shape["value"]["shape"], value)
        case _:
            pass
