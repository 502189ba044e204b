"""What agents ask for over HTTP: the command API, bundles, and their keys."""
