#!/bin/sh
# Starts the application; runs on every host after the files were copied.
set -eu
echo "deployment $DEPLOYMENT_ID of $APPLICATION_NAME to $DEPLOYMENT_GROUP_NAME: start the application here"
