"""The listener: uvicorn with limits, TLS and short pauses, in the loop that everything else runs in."""
