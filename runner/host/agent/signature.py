"""Signs requests with AWS Signature Version 4. Source: AWS General Reference, "Signature Version 4 signing process"."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class Signer:
    """Signs for one key, region and service name."""

    def __init__(self, access_key_id: str, secret: str, region: str, service: str) -> None:
        self._access_key_id, self._secret = access_key_id, secret
        self._region, self._service = region, service
        self._day, self._key = "", b""

    def authorization(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body_sha256: str
    ) -> str:
        """The header Authorization of a request, which signs all *headers*: Host and X-Amz-Date must be among them.

        *path*: as it is sent, quoted. *query*: not quoted. *body_sha256*: hexadecimal.
        """
        lowered = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
        moment = dict(lowered)["x-amz-date"]
        names = ";".join(name for name, _ in lowered)
        canonical = "\n".join(
            [
                method,
                path if self._service == "s3" else quote(path, safe="/" + _UNRESERVED),
                query_string(query),
                *("{}:{}".format(name, value) for name, value in lowered),
                "",
                names,
                body_sha256,
            ]
        )
        scope = "{}/{}/{}/aws4_request".format(moment[:8], self._region, self._service)
        text = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self._key_of(moment[:8]), text.encode(), hashlib.sha256).hexdigest()
        return "{} Credential={}/{}, SignedHeaders={}, Signature={}".format(
            _ALGORITHM, self._access_key_id, scope, names, signature
        )

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = b"AWS4" + self._secret.encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._day, self._key = day, key
        return self._key


def query_string(query: Mapping[str, str]) -> str:
    """*query* as it is sent and signed: quoted and in order."""
    quoted = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in query.items())
    return "&".join("{}={}".format(name, value) for name, value in quoted)
