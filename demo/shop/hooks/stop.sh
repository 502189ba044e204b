#!/bin/sh
# ApplicationStop: end the shop that runs now, and wait until it has gone.
set -eu
cd "$PENSTOCK_ROOT"
[ -f run/shop.pid ] || exit 0
pid=$(cat run/shop.pid)
runs() { # a process that has ended but that nobody has collected is a zombie (Z)
    kill -0 "$pid" 2>/dev/null && ! grep -q "^State:.Z" "/proc/$pid/status" 2>/dev/null
}
kill "$pid" 2>/dev/null || true
waited=0
while runs; do
    [ "$waited" -lt 100 ] || { echo "process $pid does not end" >&2; exit 1; }
    waited=$((waited + 1))
    sleep 0.1
done
rm -f run/shop.pid
echo "stopped process $pid"
