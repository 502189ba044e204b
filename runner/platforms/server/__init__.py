"""Servers: hosts that are deployed to by an executor which stands on them (`runner.host`), reached by a transport."""
