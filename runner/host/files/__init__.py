"""Installing: what to make of a revision on the host, and what to remove of the last."""
