"""A very small shop. It listens on $PORT, shows its prices at `/`, and says at `/version` which commit it is.

It also remembers which commits were ever started on its host, so that anybody can ask it what a rollout really did.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import prices

COMMIT = os.environ["BUNDLE_COMMIT"]
HISTORY = Path(os.environ["PENSTOCK_ROOT"], "var/lib/shop/started")
WARM_UP = 1.0  # seconds; stands for all that a real application does before it can answer


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages = {"/": prices.price_list, "/version": version}
        if self.path not in pages:
            return self.answer(404, {"error": "no such page"})
        try:
            self.answer(200, pages[self.path]())
        except Exception as error:
            self.answer(500, {"error": repr(error)})
            raise

    def answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def version() -> dict:
    started = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    return {"commit": COMMIT, "stage": os.environ["STAGE"], "started": started}


def main() -> None:
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    with HISTORY.open("a") as file:
        file.write(json.dumps({"commit": COMMIT, "deployment": os.environ["DEPLOYMENT_ID"]}) + "\n")
    time.sleep(WARM_UP)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()


if __name__ == "__main__":
    main()
