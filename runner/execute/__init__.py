"""Carries out what the store has decided, and reports back. Knows ports, no adapter."""
