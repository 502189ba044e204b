#!/bin/sh
# Proves that the application works; when it fails, so does the deployment of this host.
set -eu
test -e "$PENSTOCK_ROOT/opt/my-app/appspec.yml"
echo "the files are there; ask the application itself here, for example: curl --fail http://127.0.0.1:8080/health"
