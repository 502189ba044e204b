"""`penstock plan` on the screen: what a rollout would do, told before it happens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from runner.cli.checkout import Checkout
from runner.cli.screen import line, table
from runner.plan.preview import Outline
from runner.plan.preview import outline as outline
from runner.plan.preview_facts import facts
from runner.plan.preview_traffic import TrafficOutline

if TYPE_CHECKING:
    from rich.console import Console


def show(out: "Console", checkout: Checkout, outlines: Sequence[Outline | TrafficOutline]) -> None:
    """Print the plan."""
    where = f"branch {checkout.branch}" if checkout.branch else "detached HEAD"
    line(out, f"commit {checkout.commit_id} ({where})")
    for each in outlines:
        out.print()
        line(out, Text(f"{each.application}/{each.group}", style="bold"), f" gets {each.revision.label}")
        table(out, ("", ""), list(facts(each)), indent=2)
    if not outlines:
        line(out, "nothing to deploy")
