"""What a deployment would do on the host, without doing it."""
