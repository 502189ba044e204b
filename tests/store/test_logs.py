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
