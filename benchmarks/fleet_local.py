"""The same commands without SSH, as a program of its own: what the work alone costs on this machine.

Standard input, as JSON: *bundle* (a file that every command reads), *batches* (lists of commands).
"""

import json
import os
import sys


def main() -> None:
    order = json.load(sys.stdin)
    for batch in order["batches"]:
        started = [_start(command, order["bundle"]) for command in batch]
        for pid in started:
            _, status = os.waitpid(pid, 0)
            assert status == 0


def _start(command: str, bundle: str) -> int:
    opened = (os.POSIX_SPAWN_OPEN, 0, bundle, os.O_RDONLY, 0)
    return os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ, file_actions=[opened])


if __name__ == "__main__":
    main()
