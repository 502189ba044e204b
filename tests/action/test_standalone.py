import os
import shutil
import signal

import boto3
import moto_server
from acceptance_cases import wait_until
from action_cases import Job, ours
from composite_action import Ended, Running

DECLARED = {"deployment-ids", "status", "url"}


def test_a_workflow_deploys_what_it_has_checked_out(first) -> None:
    ended, job = first.ended, first.job
    assert ended.succeeded, ended.log
    assert [job.page(host) for host in ("web-1", "web-2")] == ["hello", "hello"]
    assert ended.outputs.keys() == DECLARED
    assert ended.outputs["status"] == "Succeeded"
    assert ended.outputs["url"] == "https://github.example.com/acme/shop/actions/runs/41"
    assert ended.outputs["deployment-ids"].startswith("d-")
    assert [each.data for each in ended.named("group")] == ["Install Penstock", "Validate", "Plan", "Deploy"]
    assert ours(ended)
    assert not ended.named("error", "warning", "notice")
    assert "| web-1 | ✓ Succeeded |" in ended.summary
    assert f"shop&#64;sha1&#58;{job.sha}" in ended.summary
    assert not (job.workspace / "build").exists()


def test_a_deployment_that_fails_fails_the_step_and_shows_why(job: Job) -> None:
    assert job.run().succeeded
    job.write("page/broken", "")
    job.write("page/index.html", "broken")
    job.push()
    ended = job.run()
    assert not ended.succeeded
    assert ended.outputs["status"] == "Failed"
    assert len(ended.outputs["deployment-ids"].splitlines()) == 1, "the rollback was not asked for"
    (error,) = ended.named("error")
    assert error.properties["title"] == "shop/production failed"
    assert error.data.startswith(ended.outputs["deployment-ids"])
    assert "web-1 failed in ValidateService hook.sh" in [each.data for each in ended.named("group")]
    assert "the database is gone" in ended.summary
    assert f"Rolls back {ended.outputs['deployment-ids']}." in ended.summary
    assert job.page("web-1") == "hello"


def test_what_scripts_print_gives_no_commands_to_the_runner(job: Job) -> None:
    job.write("page/broken", "")
    job.push()
    ended = job.run()
    assert ours(ended)
    assert len(ended.named("error")) == 1, "the annotation of the failed deployment, and none that a script has forged"
    assert any(": :set-output name=status: :Succeeded" in line or "::set-output" in line for line in ended.log)
    assert ended.outputs["status"] == "Failed"


def test_mistakes_are_annotated_on_their_lines_and_nothing_is_begun(job: Job) -> None:
    hostile = '  "x\\n::error::forged\\r##[error]forged": 1\n'
    text = (job.origin / "penstock.yaml").read_text()
    job.write("penstock.yaml", text.replace("    rollout:", "    rolout:") + hostile)
    job.push()
    ended = job.run()
    assert not ended.succeeded
    assert ended.outputs.keys() == DECLARED
    assert (ended.outputs["deployment-ids"], ended.outputs["status"]) == ("", "NotStarted")
    assert ours(ended)
    errors = ended.named("error")
    where = {(each.properties["file"], each.properties["line"]): each for each in errors}
    assert all(each.properties["file"] == "penstock.yaml" for each in errors)
    assert "did you mean rollout?" in where["penstock.yaml", "8"].data
    assert "forged" in where["penstock.yaml", "9"].properties["title"], "as text"
    assert "did you mean rollout?" in ended.summary
    assert "\n::" not in ended.summary
    assert not job.state.exists()


def test_files_of_an_application_in_a_folder_are_named_as_the_repository_knows_them(job: Job) -> None:
    job.write("services/api/penstock.yaml", "penstock: v1\n")
    job.push()
    ended = job.run(working_directory="services/api")
    assert {each.properties["file"] for each in ended.named("error")} == {"services/api/penstock.yaml"}


def test_state_in_an_address_of_another_kind_is_refused_before_anything_is_done(job: Job) -> None:
    ended = job.run(state="gs://acme-state/shop")
    assert not ended.succeeded
    (error,) = ended.named("error")
    assert "input state is an address (gs:...)" in error.data
    assert "s3://BUCKET/PREFIX, or postgresql://" in error.data
    assert ended.outputs["status"] == "NotStarted"


def test_state_in_s3_is_all_that_the_next_runner_needs(job: Job) -> None:
    """Not even the repository: its checkout has one commit, and the rollback needs the one before."""
    with moto_server.running_moto() as endpoint:
        environment = moto_server.environment(endpoint)
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="acme-state")
        assert job.run(environment=environment, state="s3://acme-state/shop").succeeded
        job.write("page/broken", "")
        job.write("page/index.html", "broken")
        job.push()
        shutil.rmtree(job.workspace)
        job.check_out()
        ended = job.run(environment=environment, state="s3://acme-state/shop")
    assert ended.outputs["status"] == "Failed"
    assert f"Rolls back {ended.outputs['deployment-ids']}." in ended.summary
    assert "✓ Succeeded" in ended.summary.partition("Rolls back")[2]
    assert job.page("web-1") == "hello"
    assert not job.state.exists()


def test_another_checkout_than_the_workflow_was_started_for_is_deployed_and_told(job: Job) -> None:
    checked_out = job.sha
    job.sha = "0" * 40
    ended = job.run()
    assert ended.succeeded
    assert checked_out[:10] in ended.named("notice")[0].data


class Cancelling:
    """Cancels once web-1 has begun, and then does what the runner, or a host, would do next."""

    def __init__(self, job: Job, then: str) -> None:
        self._job, self._then = job, then

    def __call__(self, line: str, running: Running) -> None:
        if "started: 2 hosts" in line:
            wait_until((self._job.folder / "web-1" / "begun").exists, "the script")
            os.kill(running.pid, signal.SIGINT)
        elif "stop requested" in line and self._then == "ends":
            self._job.release("web-1")
        elif "the workflow was cancelled" in line and self._then == "terminated":
            os.kill(running.pid, signal.SIGTERM)
            self._job.release("web-1")
        elif "stop requested" in line and self._then == "killed":
            wait_until(lambda: "This is how far it was then" in running.summary.read_text(), "the summary")
            os.kill(running.pid, signal.SIGKILL)


def cancelled(job: Job, then: str, **inputs: str) -> Ended:
    job.hold("web-1")
    try:
        return job.run(Cancelling(job, then), **inputs)
    finally:
        job.release("web-1")


def test_cancelling_the_workflow_stops_the_deployment(job: Job) -> None:
    ended = cancelled(job, "ends")
    assert not ended.succeeded
    assert ended.outputs["status"] == "Stopped"
    assert "The workflow was cancelled." in ended.summary
    assert "| web-2 | – Skipped |" in ended.summary
    assert (job.page("web-1"), job.page("web-2")) == ("hello", None)


def test_a_step_that_is_killed_leaves_its_summary_and_the_next_run_carries_on(job: Job) -> None:
    ended = cancelled(job, "killed")
    assert not ended.succeeded
    assert ended.outputs["status"] == "InProgress"
    assert "This is how far it was then" in ended.summary
    before = ended.outputs["deployment-ids"]
    job.write("page/index.html", "again")
    job.push()
    ended = job.run()
    assert ended.succeeded, ended.log
    assert any(f"{before} shop/production stopped" in line for line in ended.log)
    assert (job.page("web-1"), job.page("web-2")) == ("again", "again")


def test_a_deployment_may_be_left_to_the_next_run(job: Job) -> None:
    ended = cancelled(job, "terminated", on_cancel="leave")
    assert not ended.succeeded
    assert ended.outputs["status"] == "InProgress"
    assert "carries on" in ended.summary
    assert job.page("web-2") is None
