"""Load balancers: taking hosts out of their traffic and putting them back. Which host, and when, is decided elsewhere."""
