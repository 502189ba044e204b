"""The command API: what the agents on hosts call. `service-2.json` is its service model, in botocore's format."""
