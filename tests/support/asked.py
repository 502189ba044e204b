"""What an HTTP request to AWS asks for: service, operation, parameters, and how an error is worded for it."""

import hashlib
import io
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

_READS = ("Get", "List", "Describe", "BatchGet", "Head", "AssumeRole", "Lookup", "BatchCheck")
_SIGNED_AS = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}  # where boto3 names it otherwise
_CLASSIC_ELB = "2012-06-01"  # both kinds of load balancers are signed as elasticloadbalancing
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")

_XML_ERRORS = {
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    "<RequestId>1</RequestId></ErrorResponse>",
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    "<RequestID>1</RequestID></Response>",
    "rest-xml": "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>",
}


@dataclass(frozen=True)
class Asked:
    """One call, as boto3 names it: `Asked("lambda", "UpdateAlias", {"FunctionName": ...}, "eu-west-1", "AKIA...")`."""

    service: str
    operation: str
    params: dict[str, Any] = field(default_factory=dict)
    region: str = ""
    access_key: str = ""
    protocol: str = ""

    @property
    def mutating(self) -> bool:
        is_dry = self.params.get("InvocationType") == "DryRun" or self.params.get("DryRun") in (True, "true")
        return not (is_dry or self.operation.startswith(_READS))

    def error(self, code: str, message: str, status: int) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of an error in this call's protocol."""
        if "json" in self.protocol:
            headers = [("content-type", "application/json"), ("x-amzn-errortype", code)]
            return status, headers, json.dumps({"__type": code, "message": message}).encode()
        body = _XML_ERRORS[self.protocol].format(code=escape(code), message=escape(message))
        return status, [("content-type", "text/xml")], body.encode()


def understand(environ: dict[str, Any], body: bytes) -> Asked:
    """What the request in *environ* asks for; of S3 and of services that this cannot read, no parameters are told."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, signed_as = found.groups() if found else ("", "", "s3")
    service = _SIGNED_AS.get(signed_as, signed_as)
    request = Request({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    if service == "elbv2" and request.values.get("Version") == _CLASSIC_ELB:
        service = "elb"
    try:
        protocol = determine_request_protocol(get_service_model(service), request.content_type)
        operation, uri_params = _operation(service, request)
    except Exception:  # noqa: BLE001 - whatever moto cannot read is recorded as it came
        return Asked(service, f"{request.method} {request.path}", {}, region, access_key, "rest-json")
    params = {} if service == "s3" else _params(service, operation, protocol, request, uri_params)
    return Asked(service, operation, params, region, access_key, protocol)


def _operation(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """Its name, and the parameters that stand in the path."""
    if target := request.headers.get("X-Amz-Target"):
        return target.rpartition(".")[2], {}
    if action := request.values.get("Action"):
        return action, {}
    operation, uri_params = _router(service).match(request)
    return operation.name, uri_params


@cache
def _router(service: str) -> Any:
    return get_service_router(service)


def _params(service: str, operation: str, protocol: str, request: Request, in_path: dict[str, Any]) -> dict[str, Any]:
    parser = PROTOCOL_PARSERS[protocol](get_service_model(service).operation_model(operation), map_type=dict)
    parts = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.get_data(),
        "url_path": request.path,
        "url_params": in_path,
    }
    return {str(name): _plain(value) for name, value in (parser.parse(parts) or {}).items()}


def _plain(value: Any) -> Any:
    """As JSON can hold it; bytes become their size and digest."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}>"
    return value if isinstance(value, str | int | float | bool | None) else str(value)
