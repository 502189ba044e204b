"""Requests to where users say: over within a deadline, and never to the addresses at which a machine tells its secrets."""
