import html
import re

from hypothesis import given
from hypothesis import strategies as st

from runner.cli.action.files import LONGEST_SUMMARY, StepFiles
from runner.cli.action.outcome import EventRow, Failure, Outcome, Rollout, TargetRow, worst
from runner.cli.action.summary import MOST_TARGETS, render
from runner.errors import Mistake


def a_rollout(**changes) -> Rollout:
    events = (EventRow("Install", "Succeeded", "0.1s"), EventRow("ValidateService", "Failed", "2s"))
    return Rollout(
        id="d-1",
        place="shop/production",
        revision="shop@1",
        configuration="CodeDeployDefault.OneAtATime",
        status="Failed",
        took="3s",
        message="too many failed",
        asked=True,
        rolls_back=None,
        targets=(TargetRow("web-1", "Failed", events),),
        failures=(Failure("web-1", "ValidateService", "check.sh", "exit code 1", "gone\n"),),
    )._replace(**changes)


def test_a_rollout_is_a_table_of_its_targets_and_what_failed() -> None:
    text = render(Outcome((a_rollout(),)))
    assert text.startswith("## Penstock: Failed\n")
    assert "| Target | Status | Install | ValidateService |" in text
    assert "| web-1 | ✗ Failed | ✓ 0.1s | ✗ 2s |" in text
    assert "<pre>gone</pre>" in text


@given(st.text(alphabet=st.sampled_from(list("|`<>&*_[]()!#@:~\\\n\r\x1b$ab.w/")), min_size=1, max_size=30))
def test_text_from_elsewhere_neither_formats_nor_breaks_out(nasty: str) -> None:
    targets = (TargetRow(nasty, "Failed", (EventRow("Install", "Failed"),)),)
    failures = (Failure(nasty, nasty, nasty, nasty, nasty),)
    text = render(Outcome((a_rollout(message=nasty, targets=targets, failures=failures),), (nasty,)))
    (row,) = [line for line in text.splitlines() if line.endswith("| ✗ Failed | ✗ |")]
    assert row.count("|") == 4
    assert set(re.findall(r"<[^>]*>", text)) <= {
        *(
            "<details open>",
            "<summary>",
            "</summary>",
            "<b>",
            "</b>",
            "<code>",
            "</code>",
            "<pre>",
            "</pre>",
            "</details>",
        )
    }
    shown = html.unescape(row.split("|")[1].strip())
    assert set(shown) <= set(nasty) | {" "}


def test_of_too_many_targets_those_that_failed_are_shown() -> None:
    good = tuple(TargetRow(f"web-{number}", "Succeeded") for number in range(MOST_TARGETS))
    text = render(Outcome((a_rollout(targets=(*good, TargetRow("broken", "Failed"))),)))
    assert "| broken |" in text
    assert "… and 1 more target" in text


def test_mistakes_are_listed() -> None:
    text = render(Outcome(mistakes=(Mistake("penstock.yaml", 3, "a.b", "unknown key"),)))
    assert "NotStarted" in text
    assert "| penstock.yaml | 3 | a.b | unknown key |" in text


def test_the_status_of_several_is_the_worst() -> None:
    assert worst(["Succeeded", "Failed", "Stopped"]) == "Failed"
    assert worst(["Succeeded", "Stopped"]) == "Stopped"
    assert worst(["Succeeded", "Created"]) == "InProgress"
    assert worst(["Created"]) == "Created"
    assert worst([]) == "NotStarted"


def test_a_summary_is_replaced_behind_what_the_step_wrote_before_and_is_never_too_long(tmp_path) -> None:
    file = tmp_path / "summary"
    file.write_text("before\n")
    files = StepFiles({"GITHUB_STEP_SUMMARY": str(file)})
    files.put_summary("x" * 100)
    files.put_summary("after\n")
    assert file.read_text() == "before\nafter\n"
    files.put_summary("é" * LONGEST_SUMMARY)
    assert file.stat().st_size < 1024 * 1024
    assert file.read_text().endswith("1 MiB.*\n")


def test_outside_of_a_workflow_nothing_is_written(tmp_path) -> None:
    files = StepFiles({})
    files.put({"status": "Succeeded"})
    files.put_summary("x")
    assert list(tmp_path.iterdir()) == []
