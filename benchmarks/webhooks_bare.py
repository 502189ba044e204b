"""The floor: uvicorn with httptools and a bare application that checks the signature, stores nothing, and answers."""

import hashlib
import hmac
import sys
from typing import Any

import uvicorn

from benchmarks.webhooks_payload import SECRET


async def take(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    given = dict(scope["headers"]).get(b"x-hub-signature-256", b"")
    right = b"sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()
    status = 202 if hmac.compare_digest(given, right) else 403
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    uvicorn.run(take, port=int(sys.argv[1]), http="httptools", loop="asyncio", lifespan="off", access_log=False)
