"""Who calls, and whether they may: signatures, access keys, roles, limits, and repeated requests."""
