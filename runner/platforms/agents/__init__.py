"""Hosts whose agent asks for its commands: the desk where they wait, and all that an agent is given."""
