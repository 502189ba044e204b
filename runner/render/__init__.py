"""Text to checked values: manifests and AppSpec files. Reads no file, asks no network, decides nothing."""
