"""The compute platforms that applications are made for."""

from typing import Literal, TypeAlias

ComputePlatform: TypeAlias = Literal["Server", "Lambda", "ECS"]
