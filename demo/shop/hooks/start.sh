#!/bin/sh
# ApplicationStart: start the shop as a daemon of its own session, with nothing of ours left open.
set -eu
cd "$PENSTOCK_ROOT"
mkdir -p run var/log
nohup setsid python3 -B srv/shop/shop.py </dev/null >>var/log/shop.log 2>&1 &
echo $! >run/shop.pid
echo "started the shop as process $!"
