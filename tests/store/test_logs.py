"""The output of scripts, kept."""

from runner.store.logs import LogFiles


def test_the_output_of_all_events_is_read_in_their_order(tmp_path):
    logs = LogFiles(tmp_path)
    logs.append("d-1", "web-1", 6, "last\n")
    logs.append("d-1", "web-1", 0, "first\n")
    logs.append("d-1", "web-1", 0, "second\n")
    assert logs.read("d-1", "web-1") == "first\nsecond\nlast\n"


def test_an_event_that_is_taken_up_again_is_not_kept_twice(tmp_path):
    logs = LogFiles(tmp_path)
    logs.append("d-1", "web-1", 0, "half\n")
    logs.begin("d-1", "web-1", 0)
    logs.append("d-1", "web-1", 0, "half\nwhole\n")
    assert logs.read("d-1", "web-1") == "half\nwhole\n"


def test_no_output_is_empty(tmp_path):
    assert LogFiles(tmp_path).read("d-1", "web-1") == ""


def test_of_endless_output_the_beginning_is_kept_and_where_the_rest_is(tmp_path):
    logs = LogFiles(tmp_path, most=100)
    for _ in range(50):
        logs.append("d-1", "web-1", 0, "[stdout]åäö\n")
    logs.append("d-1", "web-1", 1, "[stdout]the next event has room of its own\n")
    first, second = logs.read("d-1", "web-1").split("\n[warning]")
    assert first.startswith("[stdout]åäö\n[stdout]åäö\n")
    assert 97 <= len(first.encode()) <= 100
    assert second == (
        "more than 100 bytes were printed; the rest is on the host, in "
        "var/lib/penstock/*/d-1/logs/scripts.log of its folder\n[stdout]the next event has room of its own\n"
    )


def test_output_that_just_fits_is_kept_without_a_word(tmp_path):
    logs = LogFiles(tmp_path, most=100)
    logs.append("d-1", "web-1", 0, "x" * 99 + "\n")
    assert logs.read("d-1", "web-1") == "x" * 99 + "\n"


def test_the_output_of_deployments_that_are_no_more_is_removed(tmp_path):
    logs = LogFiles(tmp_path / "logs")
    logs.sweep(set)  # nothing was ever kept
    for deployment in ("d-1", "d-2", "d-3"):
        logs.append(deployment, "web-1", 0, "said\n")
    logs.sweep(lambda ids: {"d-2", "d-4"} & set(ids))
    assert [logs.read(deployment, "web-1") for deployment in ("d-1", "d-2", "d-3")] == ["", "said\n", ""]
    assert [each.name for each in (tmp_path / "logs").iterdir()] == ["d-2"]
