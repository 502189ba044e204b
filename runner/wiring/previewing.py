"""A webhook says when to look: at the repository, and then at its pull requests."""

from typing import TYPE_CHECKING

from runner.ports.deliveries import Looks

if TYPE_CHECKING:
    from runner.previews import Previews


class LookThenPreview:
    """Implements `Looks`. A look is over without the previews: those are made anew by whoever comes after a crash."""

    def __init__(self, looks: Looks, previews: "Previews") -> None:
        self._looks, self._previews = looks, previews

    async def look_now(self, name: str) -> None:
        self._previews.wake(name)
        await self._looks.look_now(name)
