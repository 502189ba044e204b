"""Every mistake that a person can make in a manifest, word for word."""

import pytest
from manifest_cases import CONTEXT, FULL, SMALL, mistakes_of

from runner.errors import InvalidFiles
from runner.render.manifest import read


def test_every_mistake_of_every_file_is_reported_at_once_with_its_line():
    files = {
        "penstock.yaml": FULL.replace("minimum_healthy", "minimum_helthy").replace("main", "{{ brunch }}", 1),
        "a/penstock.yaml": SMALL.replace("Server", "Lamda").replace("web", '"{{ comit.id }}"'),
        "b/penstock.yaml": "penstock: [",
        "c/penstock.yaml": "",
        "d/penstock.yaml": SMALL,
    }
    files["penstock.yaml"] = files["penstock.yaml"].replace("{{ brunch }}", '"{{ brunch }}"')
    with pytest.raises(InvalidFiles) as caught:
        read(files, CONTEXT)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        'a/penstock.yaml:3 platform: expected Server, Lambda or ECS, not "Lamda"; did you mean Lambda?',
        "a/penstock.yaml:6 deployment_groups.production.targets.tags.app: comit is not defined; did you mean commit?",
        "b/penstock.yaml:1: not valid YAML: did not find expected node content",
        "c/penstock.yaml:1: is empty; a manifest begins with `penstock: v1`",
        "penstock.yaml:4 watch.branch: brunch is not defined; did you mean branch?",
        "penstock.yaml:10 rollouts.careful.minimum_helthy: unknown key; did you mean minimum_healthy?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("penstock: v1\n", "", "penstock.yaml:1: penstock is missing; expected v1"),
        ("penstock: v1", "penstock: v2", 'penstock.yaml:1 penstock: expected v1, not "v2"'),
        (
            "application: shop\n",
            "application: shop web\n",
            'penstock.yaml:2 application: expected 1 to 100 of A-Z a-z 0-9 . _ + = , @ -, not "shop web"',
        ),
        (
            "    targets: {tags: {app: web}}",
            "    rollout: x",
            "penstock.yaml:5 deployment_groups.production: names no target; give targets: {tags: {KEY: VALUE}}",
        ),
        (
            "tags: {app: web}",
            "tags: {}",
            "penstock.yaml:6 deployment_groups.production.targets.tags: names no target; give tags: {KEY: VALUE}",
        ),
        (
            "app: web",
            "app: 1.10",
            "penstock.yaml:6 deployment_groups.production.targets.tags.app: expected text (quote numbers), "
            "or a list of texts that are all different, not the number 1.1",
        ),
        (
            "targets:",
            "minimum_helthy: 1\n    targets:",
            "penstock.yaml:6 deployment_groups.production.minimum_helthy: unknown key; did you mean minimum_healthy? "
            "It is a key of rollout",
        ),
        (
            "targets:",
            "window: {}\n    targets:",
            "penstock.yaml:6 deployment_groups.production.window: is not built yet in this version of Penstock; "
            "leave it out",
        ),
        (
            "platform: Server",
            "platform: Server\nchecks: {slow: {prometheus: up}}",
            "penstock.yaml:4 checks.slow.prometheus: is not built yet in this version of Penstock; leave it out",
        ),
        (
            "platform: Server",
            "platform: server",
            'penstock.yaml:3 platform: expected Server, Lambda or ECS, not "server"; did you mean Server?',
        ),
        (
            "platform: Server",
            "platform: Server\nrollback: {on: [alarm], git: revert}",
            "penstock.yaml:4 rollback.git: is not built yet in this version of Penstock; leave it out",
        ),
        (
            "platform: Server",
            "platform: Server\nrollback: {on: [failed]}",
            'penstock.yaml:4 rollback.on[0]: expected failure, alarm or stop, not "failed"; did you mean failure?',
        ),
        (
            "platform: Server",
            "platform: Server\nnotify: [{to: 'chat:ops', on: [DeploymentStart]}]",
            'penstock.yaml:4 notify[0].to: expected sns:ARN of a topic or webhook:NAME of a notifier, not "chat:ops"',
        ),
        (
            "platform: Server",
            "platform: Server\nnotify: [{to: 'webhook:a', on: [DeploymentStart], groups: [prodction]}]",
            "penstock.yaml:4 notify[0].groups[0]: there is no deployment group prodction; did you mean production?",
        ),
        (
            "targets:",
            "after: staging\n    targets:",
            "penstock.yaml:6 deployment_groups.production.after: there is no deployment group staging",
        ),
        (
            "targets:",
            "after: production\n    targets:",
            "penstock.yaml:6 deployment_groups.production.after: comes after itself",
        ),
        (
            "targets:",
            "after: {group: production, bake: soon}\n    targets:",
            "penstock.yaml:6 deployment_groups.production.after.bake: expected a duration such as 90s, 5m, 2h, 1d or "
            '1h30m, not "soon"',
        ),
        (
            "targets:",
            "rollout: HalfAtATime\n    targets:",
            "penstock.yaml:6 deployment_groups.production.rollout: there is no rollout HalfAtATime; write the full name "
            "CodeDeployDefault.HalfAtATime",
        ),
        (
            "targets:",
            "rollout: CodeDeployDefault.HalfAtAtime\n    targets:",
            "penstock.yaml:6 deployment_groups.production.rollout: there is no rollout CodeDeployDefault.HalfAtAtime; did "
            "you mean CodeDeployDefault.HalfAtATime?",
        ),
        (
            "targets:",
            "rollout: CodeDeployDefault.ECSAllAtOnce\n    targets:",
            "penstock.yaml:6 deployment_groups.production.rollout: CodeDeployDefault.ECSAllAtOnce is a configuration for "
            "ECS services; this application runs on servers",
        ),
        (
            "platform: Server",
            "platform: Server\nrevision: {s3: {bucket: acme, key: web.rar}}",
            "penstock.yaml:4 revision.s3.key: the ending does not tell the kind of the bundle; add bundle_type: tar, tgz "
            "or zip",
        ),
        (
            "platform: Server",
            "platform: Server\nappspec: ../appspec.yml",
            "penstock.yaml:4 appspec: expected a relative path inside what is deployed, such as appspec.yml, not "
            '"../appspec.yml"',
        ),
        (
            "platform: Server",
            "platform: Server\nappspec: '{{ group }}.yml'",
            "penstock.yaml:4 appspec: group is not defined; names are commit, branch, tag, repository, application, vars, "
            "env and, in a group, group",
        ),
        (
            "app: web",
            "app: '{% for x in y %}'",
            "penstock.yaml:6 deployment_groups.production.targets.tags.app: statements ({% ... %}) are not supported, only "
            "expressions ({{ ... }})",
        ),
        (
            "platform: Server",
            "platform: Server\nvars: {a: '{{ vars.b }}', b: 1}",
            "penstock.yaml:4 vars.a: vars.b is not defined; a variable sees those written above it",
        ),
        ("production:\n", "production: &p\n", None),
    ],
)
def test_a_mistake_is_named(old, new, expected):
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    if expected is None:
        assert read({"penstock.yaml": text}, CONTEXT)
    else:
        assert mistakes_of(text) == [expected]


def test_a_cycle_of_after_is_named():
    text = """\
penstock: v1
application: shop
platform: Server
deployment_groups:
  a: {targets: {tags: {k: v}}, after: c}
  b: {targets: {tags: {k: v}}, after: a}
  c: {targets: {tags: {k: v}}, after: b}
"""
    assert mistakes_of(text) == [
        "penstock.yaml:5 deployment_groups.a.after: the groups wait for each other in a circle: a after c after b after a"
    ]


def test_one_application_in_two_manifests_names_both():
    with pytest.raises(InvalidFiles) as caught:
        read({"a/penstock.yaml": SMALL, "b/penstock.yaml": SMALL}, CONTEXT)
    assert str(caught.value) == (
        "b/penstock.yaml:2 application: shop is also the application of a/penstock.yaml; one application has one manifest"
    )
