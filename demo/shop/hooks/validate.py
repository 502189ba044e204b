#!/usr/bin/env python3
"""ValidateService: the shop must answer within ten seconds, as this very commit, and be able to show its prices."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

ADDRESS = f"http://127.0.0.1:{os.environ['PORT']}"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> None:
    running = wait_for_answer(time.monotonic() + 10)["commit"]
    if running != os.environ["BUNDLE_COMMIT"]:
        sys.exit(f"{ADDRESS} answers as commit {running}, but {os.environ['BUNDLE_COMMIT']} was deployed")
    try:
        print("prices:", get("/"))
    except urllib.error.HTTPError as error:
        sys.exit(f"GET {ADDRESS}/ answered {error.code}: {error.read().decode().strip()}")


def wait_for_answer(deadline: float) -> dict:
    while True:
        try:
            return get("/version")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{ADDRESS}/version does not answer: {error}")
            time.sleep(0.05)


def get(path: str) -> dict:
    with DIRECT.open(ADDRESS + path, timeout=5) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
