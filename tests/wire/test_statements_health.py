"""Statements 17 to 27 of the behaviour reference: minimum healthy hosts, over the wire, on real hosts."""

from pathlib import Path

from wire_world import Group, WireWorld, counts, fails_on, held_by


def test_statement_17_no_host_is_attempted_when_none_may_be_out_of_service(world: WireWorld):
    group = world.group("s17", "ten", config=world.config("FLEET_PERCENT", 95))
    ended = world.deployed(group)
    assert (ended["status"], ended["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert counts(ended) == (0, 0, 0)
    assert "startTime" not in ended


def test_statement_18_only_the_tenth_of_ten_fails_and_the_deployment_succeeds(world: WireWorld):
    group = world.group("s18", "ten", config=world.config("HOST_COUNT", 9))
    assert world.deployed(group, deploymentConfigName="CodeDeployDefault.AllAtOnce")["status"] == "Succeeded"
    ended = world.deployed(group, world.bundle({"ValidateService": fails_on("h10")}))
    assert (ended["status"], counts(ended)) == ("Succeeded", (9, 1, 0))


def test_statement_19_the_third_of_ten_fails_and_the_rest_is_skipped(world: WireWorld):
    group = world.group("s19", "ten", config=world.config("HOST_COUNT", 9))
    assert world.deployed(group, deploymentConfigName="CodeDeployDefault.AllAtOnce")["status"] == "Succeeded"
    ended = world.deployed(group, world.bundle({"ValidateService": fails_on("h03")}))
    assert (ended["status"], counts(ended)) == ("Failed", (2, 1, 7))
    assert ended["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"


def test_statement_20_min_8_of_10_forgives_a_second_failure_only_on_the_last(world: WireWorld):
    group = world.group("s20", "ten", config=world.config("HOST_COUNT", 8))
    assert world.deployed(group, deploymentConfigName="CodeDeployDefault.AllAtOnce")["status"] == "Succeeded"
    early = world.deployed(group, world.bundle({"ValidateService": fails_on("h01", "h04")}))
    assert (early["status"], counts(early)[1]) == ("Failed", 2)
    assert world.deployed(group, deploymentConfigName="CodeDeployDefault.AllAtOnce")["status"] == "Succeeded"
    late = world.deployed(group, world.bundle({"ValidateService": fails_on("h01", "h10")}))
    assert (late["status"], counts(late)) == ("Succeeded", (8, 2, 0))


def test_statement_21_all_at_once_needs_one_success(world: WireWorld):
    group = world.group("s21", "five")
    one = world.deployed(group, world.bundle({"ValidateService": fails_on("h01", "h02", "h04", "h05")}))
    assert (one["status"], counts(one)) == ("Succeeded", (1, 4, 0))
    none = world.deployed(group, world.bundle({"ValidateService": "exit 1"}))
    assert (none["status"], counts(none)) == ("Failed", (0, 5, 0))


def test_statement_22_half_at_a_time_has_four_of_nine_in_progress_and_never_more(world: WireWorld, tmp_path: Path):
    group = world.group("s22", "nine", config="CodeDeployDefault.HalfAtATime")
    assert _in_progress_at_once(world, group, tmp_path / "gate") == 4


def test_statement_23_forty_percent_of_nine_is_four_and_five_go_at_once(world: WireWorld, tmp_path: Path):
    group = world.group("s23", "nine", config=world.config("FLEET_PERCENT", 40))
    assert _in_progress_at_once(world, group, tmp_path / "gate") == 5


def _in_progress_at_once(world: WireWorld, group: Group, gate: Path) -> int:
    """How many hosts wait at a gate while the others may not begin; then lets them all through."""
    made = world.deploy(group, world.bundle({"BeforeInstall": held_by(gate)}))
    world.until(lambda: world.get(made)["status"] == "InProgress")
    begun = [name for name, target in world.targets(made).items() if target["status"] == "InProgress"]
    world.until(lambda: all(_is_at_gate(world, made, name) for name in begun))
    overview = world.get(made)["deploymentOverview"]
    assert (overview["InProgress"], overview["Pending"]) == (len(begun), 9 - len(begun))
    gate.touch()
    assert world.ended(made)["status"] == "Succeeded"
    assert _most_at_once(world, made) == len(begun)
    return len(begun)


def _is_at_gate(world: WireWorld, deployment_id: str, host: str) -> bool:
    return bool(world.events(deployment_id, host)["BeforeInstall"]["status"] == "InProgress")


def _most_at_once(world: WireWorld, deployment_id: str) -> int:
    """Over the whole deployment, by the times of each host's first and last event."""
    spans = [
        (events[0]["startTime"], events[-1]["endTime"])
        for events in (target["lifecycleEvents"] for target in world.targets(deployment_id).values())
    ]
    return max(sum(start <= at < end for start, end in spans) for at, _ in spans)


def test_statement_24_one_host_alone_must_succeed(world: WireWorld):
    group = world.group("s24", "one", config="CodeDeployDefault.OneAtATime")
    ended = world.deployed(group, world.bundle({"ValidateService": "exit 1"}))
    assert (ended["status"], counts(ended)) == ("Failed", (0, 1, 0))


def test_statement_25_a_host_without_power_is_a_target_and_counts_against_health(world: WireWorld):
    group = world.group("s25", "powerless", config="CodeDeployDefault.OneAtATime")
    ended = world.deployed(group)
    assert (ended["status"], counts(ended)) == ("Failed", (0, 1, 1))
    assert ended["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    targets = world.targets(ended["deploymentId"])
    assert {name: target["status"] for name, target in targets.items()} == {"dead": "Failed", "h01": "Skipped"}


def test_statement_26_the_host_whose_last_deployment_failed_comes_first(world: WireWorld):
    group = world.group("s26", "two", config="CodeDeployDefault.OneAtATime")
    first = world.deployed(group, world.bundle({"ValidateService": fails_on("h02")}))
    assert (first["status"], counts(first)) == ("Succeeded", (1, 1, 0))
    second = world.deployed(group)
    assert second["status"] == "Succeeded"
    targets = world.targets(second["deploymentId"])
    began = {name: target["lifecycleEvents"][0]["startTime"] for name, target in targets.items()}
    assert began["h02"] < began["h01"]


def test_statement_27_a_host_that_succeeded_in_a_failed_deployment_is_healthy_but_not_current(world: WireWorld):
    good = world.bundle()
    group = world.group("s27", "five", config=world.config("HOST_COUNT", 4))
    first = world.deployed(group, good, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    failed = world.deployed(group, world.bundle({"ValidateService": fails_on("h02")}))
    assert (first["status"], failed["status"], counts(failed)) == ("Succeeded", "Failed", (1, 1, 3))
    told = world.client.get_deployment_group(**group._asdict())["deploymentGroupInfo"]
    assert told["lastSuccessfulDeployment"]["deploymentId"] == first["deploymentId"]
    # Only hosts that are not Current are targets; the unhealthy one comes first, so the other is healthy.
    again = world.deployed(
        group, good, updateOutdatedInstancesOnly=True, deploymentConfigName="CodeDeployDefault.OneAtATime"
    )
    assert (again["status"], list(world.targets(again["deploymentId"]))) == ("Succeeded", ["h02", "h01"])
    none = world.deployed(group, good, updateOutdatedInstancesOnly=True)
    assert (none["status"], none["errorInformation"]["code"]) == ("Failed", "NO_INSTANCES")
