"""Lambda functions: an alias whose traffic moves from one version to another, by weights and never behind anybody's back."""

from runner.platforms.functions.platform import FunctionPlatform

__all__ = ["FunctionPlatform"]
