"""AWS JSON 1.1 on a service model: requests checked, answers shaped, listings continued. Nothing here knows a meaning."""
