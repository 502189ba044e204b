"""An application with a version, for tests that deploy it: what it is, and the scripts that stop and start it on a host."""

APPLICATION = """
import asyncio, os, signal, sys
version = open(sys.argv[2]).read().strip().encode()
async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            while head.startswith(b"GET /slow") and not os.path.exists(sys.argv[3] + ".release"):
                await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(version), version))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()
async def main():
    await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    open(sys.argv[3], "w").write(str(os.getpid()))
    await asyncio.Event().wait()
asyncio.run(main())
"""

STOP = """#!/bin/sh
# No mercy: a request that is under way now is lost.
pid="$PENSTOCK_ROOT/app.pid"
[ -e "$pid" ] || exit 0
kill -9 "$(cat "$pid")"
rm "$pid"
"""

START = """#!/bin/sh
pid="$PENSTOCK_ROOT/app.pid"
rm -f "$pid"
setsid "$PYTHON" -I -S "$PENSTOCK_ROOT/srv/app.py" "$PORT" "$PENSTOCK_ROOT/srv/version" "$pid" </dev/null >/dev/null 2>&1 &
while [ ! -s "$pid" ]; do sleep 0.01; done
"""
