"""The compute platforms: each runs lifecycle events on its kind of target. What runs when is decided elsewhere."""
