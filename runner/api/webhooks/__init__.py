"""Webhooks: what the forges of repositories send when something was pushed. They say when to look, and nothing else."""
