"""What the command line says of functions and services whose traffic has moved, and has gone back."""

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from traffic_rig import TrafficRig
from traffic_shapes import function_appspec, service_appspec

from runner.cli.board import Board, short_revision
from runner.cli.description import show
from runner.cli.lines import Lines
from runner.cli.status import _show
from runner.cli.target_table import show_targets
from runner.model.deployment import ErrorInformation
from runner.service import Service

CANARY = {"deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes"}
BACK = {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TrafficRig]:
    with TrafficRig(tmp_path / "state") as made:
        yield made


def shown(rig: TrafficRig, deployment_id: str, width: int = 80) -> list[str]:
    """What `penstock show` prints, line by line."""
    store = rig.world.store
    described = Service(store, lambda: (), lambda: rig.world.now).describe(deployment_id)
    rollback = described.deployment.rollback
    other = rollback and rollback.rollback_deployment_id
    out = Console(file=io.StringIO(), width=width, soft_wrap=True)
    show(out, described, store.deployment(other) if other else None, lambda target: "", rig.world.now, {})
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined]


def lines(rig: TrafficRig) -> list[str]:
    """What `penstock deploy` prints in a pipe, without times and IDs."""
    out, board = io.StringIO(), Board()
    entries = rig.world.store.journal_after(0)
    for entry in entries:
        board.apply(entry)
    Lines(board, out).show(entries)
    return [line.split(" ", 3)[-1] for line in out.getvalue().splitlines()]


def failed_and_undone(rig: TrafficRig) -> tuple[str, str]:
    """A function's deployment that breaks at its second shift, and its rollback."""
    rig.world.breaks = lambda act: act.task.act.weight == 100 and act.task.job.restoring is None
    made = rig.start(rig.function(**CANARY, **BACK), function_appspec())
    rig.world.wait(minutes=6)
    rollback = rig.world.store.deployment(made).rollback
    assert rollback and rollback.rollback_deployment_id
    return made, rollback.rollback_deployment_id


def test_a_rollback_gives_back_what_served_whatever_revision_it_has_on_record(rig: TrafficRig) -> None:
    made, back = failed_and_undone(rig)
    digits = rig.world.store.deployment(made).revision.short
    assert f"created: rolls back {made} to what served before" in lines(rig)
    assert f"created: deploys appspec@{digits}" in lines(rig)
    assert "shop AllowTraffic has 10 % of the traffic on the new version" in lines(rig)
    assert "shop AllowTraffic has given all of the traffic back" in lines(rig)
    assert "shop AllowTraffic has 100 % of the traffic on the new version" not in lines(rig)
    assert f"rolled back by {back} to what served before: Succeeded" in shown(rig, made)
    assert f"rolls back {made} to what served before" in shown(rig, back)
    assert not any("(before:" in line for line in shown(rig, back))


def test_where_the_traffic_was_is_told_of_the_end(rig: TrafficRig) -> None:
    made, back = failed_and_undone(rig)
    assert "  traffic   alias live: 10 % to version 2, 90 % to version 1, when it ended" in shown(rig, made)
    assert "  traffic   alias live: all to version 1, when it ended" in shown(rig, back)


def test_the_status_names_the_rollback_that_ended_last(rig: TrafficRig, capsys: pytest.CaptureFixture[str]) -> None:
    made, back = failed_and_undone(rig)
    _show(Service(rig.world.store, lambda: (), lambda: rig.world.now).state(), "state")
    assert f"{back} has rolled back {made}" in capsys.readouterr().out


def test_a_rollback_that_failed_too_can_be_asked_for_again(rig: TrafficRig) -> None:
    rig.world.breaks = lambda act: act.task.act.weight == 100
    made = rig.start(rig.function(**CANARY, **BACK), function_appspec())
    rig.world.wait(minutes=6)
    text = "\n".join(shown(rig, made))
    assert f"penstock rollback {made}  give the traffic back to what served before" in text
    assert f"penstock redeploy {made}  then try the same revision again" in text
    rollback = rig.world.store.deployment(made).rollback
    assert rollback and rollback.rollback_deployment_id
    of_rollback = "\n".join(shown(rig, rollback.rollback_deployment_id))
    assert f"penstock rollback {made}" in of_rollback and "penstock redeploy" not in of_rollback


def test_while_the_traffic_is_divided_the_way_back_comes_first(rig: TrafficRig) -> None:
    made = rig.start(rig.function(**CANARY), function_appspec())
    rig.world.wait(minutes=1)
    why = "the alarm errors cannot be read: CloudWatch has none of that name"
    rig.world.store.watch.failed(made, ErrorInformation(code="ALARM_ACTIVE", message=why), rig.world.now)
    rig.world.settle()
    told = shown(rig, made)
    assert "not rolled back by itself: the traffic stayed divided, as it was then" in told
    first = told[told.index("what you can do:") + 1]
    assert first == f"  penstock rollback {made}  give the traffic back to what served before"
    assert sum(f"penstock rollback {made}" in line for line in told) == 1
    assert why in lines(rig)


def test_what_was_broken_off_says_what_happened_and_no_code(rig: TrafficRig) -> None:
    made = rig.start(rig.function(**CANARY), function_appspec())
    rig.world.wait(minutes=1)
    rig.world.store.request_stop(made, rig.world.now, rollback=None)
    rig.world.settle()
    told = shown(rig, made)
    assert "  error    The deployment ended before all of the traffic was moved." in told
    assert not any("UnknownError" in line for line in told)


def test_only_the_event_that_moves_traffic_counts_its_moves(rig: TrafficRig) -> None:
    made, _ = failed_and_undone(rig)
    assert any("AllowTraffic" in line for line in shown(rig, made))
    assert sum("(2 moves)" in line for line in shown(rig, made)) == 1
    (target,) = rig.world.store.targets(made)
    again = tuple(msgspec.structs.replace(event, attempt=3) for event in target.lifecycle_events)
    out = Console(file=io.StringIO(), width=200)
    show_targets(out, (msgspec.structs.replace(target, lifecycle_events=again),), rig.world.now)
    assert out.file.getvalue().count("moves)") == 1  # type: ignore[attr-defined]


def test_the_status_of_a_function_is_not_that_of_hosts(rig: TrafficRig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.start(rig.function(), function_appspec())
    _show(Service(rig.world.store, lambda: (), lambda: rig.world.now).state(), "state")
    said = capsys.readouterr().out
    assert "TARGETS" in said and "HOSTS" not in said


def test_a_functions_traffic_can_go_back_also_after_its_first_success(rig: TrafficRig) -> None:
    made = rig.start(rig.function(), function_appspec())
    assert rig.world.store.deployment(made).status == "Succeeded"
    assert f"  penstock rollback {made}  give the traffic back to what served before" in shown(rig, made)


def test_commands_for_a_service_fit_eighty_columns_and_events_too_many_for_a_line_have_one_each(
    rig: TrafficRig,
) -> None:
    rig.world.breaks = lambda act: act.task.act.weight is not None
    made = rig.start(rig.service(), service_appspec())
    told = shown(rig, made)
    assert "main:web  Failed" in told
    assert "  AllowTestTraffic       ok 0.0s" in told
    assert "  AllowTraffic           FAILED 0.0s" in told
    steps = told[told.index("what you can do:") + 1 :]
    assert len(steps) == 3 and all(line.startswith("  penstock ") and len(line) <= 80 for line in steps)
    assert any(line.startswith("TARGET    STATUS  BeforeInstall") for line in shown(rig, made, width=200))


def test_an_object_in_s3_is_told_without_its_pin() -> None:
    commit = "0123456789" * 4
    assert short_revision(f"s3://code/web/{commit}.zip?versionId=e4efd1d3-975f-4571") == "s3://code/web/0123456789.zip"
    assert short_revision("s3://code/what?is=it.zip?eTag=abc") == "s3://code/what?is=it.zip"
    assert short_revision(f"shop@sha1:{commit}") == "shop@0123456789"
