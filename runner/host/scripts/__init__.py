"""Running the scripts of a lifecycle event, watching over them, and keeping what they print."""
