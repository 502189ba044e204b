"""Lifecycle event hooks of Lambda and ECS deployments: functions of the user's that are invoked, and say how it went."""

from runner.platforms.hooks.platform import WithHooks

__all__ = ["WithHooks"]
