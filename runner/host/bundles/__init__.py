"""Bringing a bundle onto the host, and the revisions that are kept there."""
