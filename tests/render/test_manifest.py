"""Manifests: from text to checked values; templates, what may not become structure, and what is damaged."""

import datetime as dt
import time
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_cases import COMMIT, CONTEXT, ECS, FULL, LAMBDA, SMALL, mistakes_of, rollout_of

from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.manifest import After, GroupSettings, Manifest, Trigger, TriggerEvent, Watch
from runner.model.revision import Commit, S3Location
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.model.tags import TagFilter
from runner.model.traffic import LoadBalancing
from runner.render.context import Context
from runner.render.manifest import check, read

SNS = Trigger(to="sns:arn:aws:sns:eu-west-1:111122223333:deploys", on=("DeploymentStart", "DeploymentFailure"))


def test_a_manifest_becomes_values():
    assert read({"web/penstock.yaml": FULL}, CONTEXT) == (
        Manifest(
            application="shop-web",
            platform="Server",
            file="web/penstock.yaml",
            root="web",
            watch=Watch(branch="main", paths=("web/**", "appspec.yml")),
            revision=S3Location(bucket="acme-releases", key=f"web/{COMMIT.id}.tgz", bundle_type="tgz", pin="etag"),
            appspec="appspec.yml",
            groups=(
                GroupSettings(
                    name="staging",
                    tags={"app": ("web",), "stage": ("staging",)},
                    rollout=Rollout(
                        name="CodeDeployDefault.OneAtATime",
                        minimum_healthy=MinimumHealthyHosts(type="MOST_CONCURRENCY", value=1),
                    ),
                    triggers=(SNS,),
                ),
                GroupSettings(
                    name="production",
                    tags={"app": ("web",), "stage": ("production",), "zone": ("a", "production-b")},
                    rollout=Rollout(
                        name="careful",
                        minimum_healthy=MinimumHealthyHosts(type="FLEET_PERCENT", value=90),
                        max_failed=2,
                        steps=(
                            BatchStep(size=Share(value=1)),
                            HoldStep(duration=dt.timedelta(minutes=5)),
                            BatchStep(size=Share(value=25, percent=True), repeat=True),
                        ),
                    ),
                    after=After(group="staging", bake=dt.timedelta(minutes=30)),
                    rollback_on=("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"),
                    triggers=(
                        SNS,
                        Trigger(to="webhook:ops", on=("DeploymentRollback",)),
                        Trigger(to="webhook:production", on=("InstanceFailure",)),
                    ),
                ),
            ),
        ),
    )


def test_a_small_manifest_needs_no_templates_and_gets_the_defaults():
    [manifest] = read({"penstock.yaml": SMALL}, CONTEXT)
    assert (manifest.root, manifest.revision, manifest.appspec) == ("", None, "appspec.yml")
    assert manifest.watch == Watch()
    [group] = manifest.groups
    assert group.rollout.name == "CodeDeployDefault.OneAtATime"
    assert (group.after, group.rollback_on, group.triggers) == (None, (), ())


@pytest.mark.parametrize(
    ("file", "root"), [("penstock.yaml", ""), ("a/b/penstock.yaml", "a/b"), (".penstock/shop.yaml", "")]
)
def test_the_root_is_the_folder_of_the_manifest(file, root):
    assert read({file: SMALL}, CONTEXT)[0].root == root


def test_no_files_give_no_manifests():
    assert read({}, CONTEXT) == ()


def test_variables_see_those_above_them_and_groups_overlay_them():
    text = """\
penstock: v1
application: shop
platform: Server
vars: {stage: staging, host: "{{ vars.stage }}.{{ group }}.example.com", late: 1}
deployment_groups:
  one: {vars: {stage: production}, targets: {tags: {host: "{{ vars.host }}"}}}
  two: {vars: {own: "{{ vars.late }}!"}, targets: {tags: {host: "{{ vars.host }}", own: "{{ vars.own }}"}}}
"""
    [manifest] = read({"penstock.yaml": text}, CONTEXT)
    assert [group.tags for group in manifest.groups] == [
        {"host": ("production.one.example.com",)},
        {"host": ("staging.two.example.com",), "own": ("1!",)},
    ]


def test_a_value_can_never_inject_structure():
    [manifest] = read(
        {"penstock.yaml": SMALL.replace("app: web", 'app: "{{ commit.message }}"')},
        Context(
            commit=Commit(id="a" * 40, author="", message="x}\n  evil: [1]\n{{ branch }}", time=""), repository="r"
        ),
    )
    assert manifest.groups[0].tags == {"app": ("x}\n  evil: [1]\n{{ branch }}",)}


def test_allowed_variables_of_the_environment_are_names():
    [manifest] = read({"penstock.yaml": SMALL.replace("web", '"{{ env.STAGE }}"')}, CONTEXT)
    assert manifest.groups[0].tags == {"app": ("blue",)}
    assert mistakes_of(SMALL.replace("web", '"{{ env.HOME }}"')) == [
        "penstock.yaml:6 deployment_groups.production.targets.tags.app: env.HOME is not defined; "
        "the runner's configuration must allow it (template_environment) and it must be set"
    ]


@pytest.mark.parametrize(
    ("key", "bundle_type"), [("a.tar", "tar"), ("a.tgz", "tgz"), ("a.tar.gz", "tgz"), ("a.zip", "zip")]
)
def test_the_bundle_type_is_told_from_the_ending(key, bundle_type):
    text = SMALL + f"revision: {{s3: {{bucket: acme, key: {key}}}}}\n"
    assert read({"penstock.yaml": text}, CONTEXT)[0].revision == S3Location(
        bucket="acme", key=key, bundle_type=bundle_type
    )


def test_a_given_version_pins_by_version_and_an_etag_loses_its_quotes():
    text = SMALL + "revision: {s3: {bucket: acme, key: a, bundle_type: zip, version: v7, etag: '\"abc\"'}}\n"
    assert read({"penstock.yaml": text}, CONTEXT)[0].revision == S3Location(
        bucket="acme", key="a", bundle_type="zip", pin="version", version="v7", etag="abc"
    )


def test_a_rendered_value_is_checked_again():
    text = rollout_of("{max_failed: '{{ vars.n }}'}", "vars: {n: many}\n")
    assert mistakes_of(text) == [
        'penstock.yaml:9 rollouts.mine.max_failed: expected a whole number from 0 up, not "many" '
        '(from "{{ vars.n }}", for production)'
    ]


def test_a_mistake_in_what_groups_share_is_reported_once():
    text = (
        SMALL
        + "  staging:\n    targets: {tags: {app: web}}\nnotify: [{to: 'webhook:{{ x }}', on: [DeploymentStart]}]\n"
    )
    assert len(mistakes_of(text)) == 1


def test_a_notification_is_rendered_only_for_its_groups():
    text = SMALL + (
        "    vars: {hook: ops}\n"
        "  staging:\n    targets: {tags: {app: web}}\n"
        "notify: [{to: 'webhook:{{ vars.hook }}', on: [DeploymentStart], groups: [production]}]\n"
    )
    production, staging = read({"penstock.yaml": text}, CONTEXT)[0].groups
    assert production.triggers == (Trigger(to="webhook:ops", on=("DeploymentStart",)),)
    assert staging.triggers == ()


def test_every_event_that_is_told_of_can_be_asked_for():
    events = get_args(TriggerEvent)
    said = SMALL + f"notify: [{{to: 'webhook:ops', on: [{', '.join(events)}]}}]\n"
    [group] = read({"penstock.yaml": said}, CONTEXT)[0].groups
    assert group.triggers == (Trigger(to="webhook:ops", on=events),)


def test_branch_is_not_defined_for_a_tag_and_tag_not_for_a_branch():
    text = SMALL.replace("web", '"{{ tag | default(branch) }}"')
    at_tag = Context(commit=COMMIT, tag="v1", repository="shop")
    assert read({"penstock.yaml": text}, CONTEXT)[0].groups[0].tags == {"app": ("main",)}
    assert read({"penstock.yaml": text}, at_tag)[0].groups[0].tags == {"app": ("v1",)}


def test_checking_needs_no_commit_and_finds_undefined_names():
    assert check({"penstock.yaml": FULL}) == []
    text = FULL.replace("commit.id", "commit.hash")
    assert [str(mistake) for mistake in check({"penstock.yaml": text})] == [
        "penstock.yaml:6 revision.s3.key: commit.hash is not defined"
    ]


@pytest.mark.parametrize(
    "text",
    [
        rollout_of("{max_failed: '{{ env.FAILURES }}'}"),
        rollout_of("{max_failed: '{{ vars.n }}'}", "vars: {n: '{{ env.FAILURES }}'}\n"),
        SMALL + "    rollout: '{{ env.ROLLOUT }}'\n",
        SMALL + "    after: {group: '{{ env.BEFORE }}'}\n",
        SMALL + "revision: {s3: {bucket: acme, key: '{{ env.KEY }}'}}\n",
    ],
)
def test_checking_without_a_configuration_takes_any_variable_of_the_environment(text):
    assert check({"penstock.yaml": text}) == []
    assert mistakes_of(text.replace("env.", "environment."))


@pytest.mark.parametrize("key", ["deployment_groups", "rollouts", "notify", "vars", "watch", "revision", "rollback"])
def test_a_template_never_becomes_structure(key):
    lines = [line for line in SMALL.splitlines() if line[0] != " " and not line.startswith(f"{key}:")]
    text = "\n".join(lines if key == "deployment_groups" else SMALL.splitlines()) + f"\n{key}: '{{{{ branch }}}}'\n"
    [mistake] = mistakes_of(text)
    assert f" {key}: expected a " in mistake


def test_a_variable_that_every_group_overlays_must_be_a_template_all_the_same():
    text = SMALL + "    vars: {a: 1}\nvars: {a: '{{ branch'}\n"
    [mistake] = mistakes_of(text)
    assert mistake.startswith("penstock.yaml:8 vars.a: not a valid template: ")


def test_a_template_nearby_hides_no_mistake():
    text = SMALL.replace("targets: {tags: {app: web}}", "vars: {a: '{{ branch }}'}").replace("v1", "v2")
    assert len(mistakes_of(text)) == 2


def test_what_would_render_for_ever_is_refused_at_once():
    groups = "".join(f"  g{number}: {{targets: {{tags: {{a: b}}}}}}\n" for number in range(190))
    doubling = "".join(f"  v{n}: '{{{{ vars.v{n - 1} }}}}{{{{ vars.v{n - 1} }}}}'\n" for n in range(1, 90))
    many = ", ".join(f"'{{{{ group ~ {number} }}}}'" for number in range(5_000))
    for text in (
        SMALL + groups + "vars:\n  v0: xxxxxxxx\n" + doubling,
        SMALL.replace("web", f"[{many}]"),
        SMALL + groups * 50,
    ):
        before = time.process_time()
        assert check({"penstock.yaml": text})
        assert time.process_time() - before < 10  # a second at most; without a bound, minutes


KEYS = (
    "penstock application platform watch branch paths revision s3 bucket key appspec vars rollouts "
    "minimum_healthy max_failed steps batch hold for repeat deployment_groups a b targets tags after group "
    "bake rollout rollback on notify to groups zebra function service aws region role image repository tag alias name "
    "cluster container port routes listener target_groups hooks task_definition checks cloudwatch_alarm http expect "
    "timeout scale shift by every check retire load_balancer"
)

PIECES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from(
            [
                "v1",
                "shop",
                "Server",
                "Lambda",
                "ECS",
                "main",
                "100%",
                "5m",
                "25%",
                "{{ vars.x }}",
                "{{ group }}",
                "{%",
                "a b",
                "",
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        PIECES,
        st.fixed_dictionaries({"penstock": st.just("v1"), "deployment_groups": PIECES, "rollouts": PIECES}),
        st.fixed_dictionaries(
            {
                "platform": st.sampled_from(["Server", "Lambda", "ECS", "{{ vars.x }}"]),
                "deployment_groups": st.dictionaries(st.sampled_from(["a", "b"]), PIECES),
            },
            optional=dict.fromkeys(("function", "service", "revision", "checks", "rollouts", "aws", "vars"), PIECES),
        ),
    )
)
def test_any_data_is_a_manifest_or_a_clear_mistake(data):
    import json  # JSON is YAML

    assert all(mistake.message for mistake in check({"penstock.yaml": json.dumps(data)}))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([FULL, LAMBDA, ECS]), st.text(max_size=60), st.floats(min_value=0, max_value=1))
def test_any_damage_to_a_manifest_is_a_clear_mistake_or_harmless(text, noise, where):
    at = int(where * len(text))
    check({"penstock.yaml": text[:at] + noise + text[at + len(noise) :]})


BALANCED = """penstock: v1
application: shop
platform: Server
deployment_groups:
  web:
    targets: {tags: {app: shop}}
    load_balancer: HERE
"""


def test_instances_and_their_load_balancers_are_read():
    targets = "{ec2: {tags: {app: [web, api], stage: '{{ branch }}*'}}, auto_scaling_groups: ['{{ group }}-asg'], HELD}"
    targets = targets.replace("HELD", "suspend_processes: [Terminate], termination_hook: true")
    text = BALANCED.replace("{tags: {app: shop}}", targets).replace("HERE", "{target_groups: [a], classic: [b]}")
    (found,) = read({"penstock.yaml": f"{text}aws: {{region: eu-west-1}}\n"}, CONTEXT)
    (group,) = found.groups
    app = (TagFilter(key="app", value="web"), TagFilter(key="app", value="api"))
    stage = (TagFilter(key="stage", value="main*"),)
    assert group.ec2 == Ec2Targets(tag_set=(app, stage), auto_scaling_groups=("web-asg",), suspended=("Terminate",))
    assert group.termination_hook
    place = AwsPlace(region="eu-west-1")
    assert (group.tags, group.place) == ({}, place)
    assert group.load_balancer == LoadBalancing(target_groups=("a",), classic=("b",), place=place)
    assert str(group.load_balancer) == "target group a, classic load balancer b"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{}", "targets: names no target; give targets: {tags: {KEY: VALUE}}"),
        ("{ec2: {}}", "targets.ec2: names no target; give tags: {KEY: VALUE}"),
        ("{ec2: {tags: {app: 1}}}", "targets.ec2.tags.app: expected text (quote numbers)"),
        ("{auto_scaling_groups: []}", "targets.auto_scaling_groups: expected a list that is not empty"),
        ("{auto_scaling_groups: web}", "targets.auto_scaling_groups: expected a list"),
        ("{suspend_processes: [Terminate]}", "targets.suspend_processes: is for Auto Scaling groups"),
        ("{termination_hook: true}", "targets.termination_hook: is for Auto Scaling groups"),
        ("{auto_scaling_groups: [a], termination_hook: 1}", "targets.termination_hook: expected true or false"),
        (
            "{auto_scaling_groups: [a], suspend_processes: [Launch]}",
            "targets.suspend_processes[0]: expected Terminate, AZRebalance, InstanceRefresh or ScheduledActions",
        ),
    ],
)
def test_wrong_targets_are_named(written, expected):
    text = BALANCED.replace("{tags: {app: shop}}", written).replace("    load_balancer: HERE\n", "")
    mistakes = mistakes_of(text)
    assert any(f"deployment_groups.web.{expected}" in each for each in mistakes), mistakes


def test_a_load_balancer_is_read():
    text = BALANCED.replace("HERE", 'haproxy: ["edge/{{ group }}", a-b/c.d:e]').replace(": haproxy", ": {haproxy")
    (found,) = read({"penstock.yaml": text.replace("e]", "e]}")}, CONTEXT)
    assert str(found.groups[0].load_balancer) == "haproxy edge/web, haproxy a-b/c.d:e"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{haproxy: []}", "load_balancer.haproxy: expected a list that is not empty"),
        ("{haproxy: [edge]}", "load_balancer.haproxy[0]: expected BALANCER/BACKEND, such as edge/shop"),
        ("{haproxy: [edge/app; shutdown]}", "load_balancer.haproxy[0]: expected BALANCER/BACKEND"),
        ("{target_groups: []}", "load_balancer.target_groups: expected a list that is not empty"),
        ("{target_groups: ['a b']}", "load_balancer.target_groups[0]: expected the name or ARN of a target group"),
        ("{classic: [a/b]}", "load_balancer.classic[0]: expected the name of a classic load balancer"),
        ("{}", "load_balancer: names no load balancer; give load_balancer: {target_groups: [NAME]}"),
    ],
)
def test_a_wrong_load_balancer_is_named(written, expected):
    mistakes = mistakes_of(BALANCED.replace("HERE", written))
    assert any(f"deployment_groups.web.{expected}" in each for each in mistakes), mistakes
