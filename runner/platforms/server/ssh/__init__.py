"""Hosts reached over SSH, by libssh2: one connection to a host, one channel on it, all events through that."""
