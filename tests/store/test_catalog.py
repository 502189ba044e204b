"""What the wire API makes, in the store: beside deployments that are under way, and beside other processes."""

import msgspec
import pytest
from store_cases import PIPELINE, World, group, manifest, revision

from runner.errors import ApplicationAlreadyExists, Refused, RevisionDoesNotExist
from runner.model.application import Application, Group, OnPremisesInstance
from runner.model.deployment import Creator, Options
from runner.model.revision import AppSpecRevision, S3Revision
from runner.store import creating
from runner.store.ledger import Ledger
from runner.store.store import Store


def made_by_the_api(world: World, name: str = "shop") -> Group:
    """An application with one group."""
    world.store.catalog.applications.create(Application(id=name, name=name, platform="Server", created_at=world.now))
    made = Group(id=f"{name}-g", application=name, settings=group("live"), platform="Server", created_at=world.now)
    world.store.catalog.groups.create(made)
    return made


def deploy(world: World, digit: str, application: str = "shop", creator: Creator = "user") -> str:
    world.tick()
    with world.store._db.write() as tx:
        ledger = Ledger(tx, world.now)
        made = creating.deployment(
            tx,
            ledger,
            application=application,
            settings=world.store.catalog.groups.get(application, "live").settings,
            revision=revision(digit),
            appspec="appspec.yml",
            creator=creator,
            options=Options(),
            now=world.now,
        )
        ledger.write()
    return made


def test_an_application_of_the_api_is_deployed_to_as_any_other(world: World) -> None:
    made_by_the_api(world)
    deployment = deploy(world, "a")
    world.settle()
    kept = world.store.catalog.groups.get("shop", "live")
    assert (kept.last_successful, kept.last_attempted, kept.target_revision) == (deployment, deployment, revision("a"))
    attempts = world.store.catalog.groups.attempts(deployment, None, "d-NOBODY00")
    assert [(each.id, str(each.status)) for each in attempts.values()] == [(deployment, "Succeeded")]


def test_a_result_that_comes_after_its_application_was_deleted_changes_nothing(world: World) -> None:
    made_by_the_api(world)
    deployment = deploy(world, "a")
    (prepare,) = world.step([])
    late = world.result(prepare)
    world.store.request_stop(deployment, world.now, rollback=False)
    world.settle()
    world.store.catalog.applications.delete("shop")
    assert world.step([], [late]) == []
    assert world.store.deployments() == []


def test_an_application_is_renamed_while_it_is_deployed(world: World) -> None:
    made_by_the_api(world)
    deploy(world, "a")
    actions = world.step(world.step([]))
    world.store.catalog.applications.rename("shop", "store")
    while actions:
        actions = world.step(actions)
    (deployment,) = world.store.deployments(application="store")
    assert str(deployment.status) == "Succeeded"
    assert world.store.catalog.revisions.get("store", revision("a")) is not None
    assert world.store.groups("store") == ["live"]


def test_deleting_one_application_leaves_the_others_whole(world: World) -> None:
    for name in ("shop", "blog"):
        made_by_the_api(world, name)
        deploy(world, "a", name)
    world.settle()
    for deployment in world.store.deployments():
        world.store.hooks.begin((deployment.id, "resize", "BeforeAllowTraffic", 1), world.now)
    world.store.catalog.applications.delete("shop")
    (left,) = world.store.deployments()
    assert (left.application, str(left.status)) == ("blog", "Succeeded")
    assert world.store.journal(left.id)
    assert len(world.store.instance_health("blog", "live")) == 2
    assert world.store.catalog.revisions.get("blog", revision("a")) is not None


def test_two_processes_do_not_make_the_same_thing(world: World) -> None:
    made = made_by_the_api(world)
    other = Store(world.store._db.folder, PIPELINE)
    try:
        with pytest.raises(ApplicationAlreadyExists):
            other.catalog.applications.create(Application(id="x", name="shop", platform="Server", created_at=world.now))
        with pytest.raises(Refused, match="live is there already"):
            other.catalog.groups.create(msgspec.structs.replace(made, id="another"))
        instance = OnPremisesInstance(name="a", iam_user_arn="arn", registered_at=world.now)
        world.store.catalog.instances.register(instance)
        with pytest.raises(Refused, match="a is registered already"):
            other.catalog.instances.register(instance)
    finally:
        other.close()


def test_what_is_refused_inside_a_transaction_leaves_the_rest_of_it_whole(world: World) -> None:
    made_by_the_api(world)
    with world.store._db.write():
        world.store.catalog.tags.add("application/shop", {"a": "b"})
        with pytest.raises(ApplicationAlreadyExists):
            world.store.catalog.applications.create(
                Application(id="x", name="shop", platform="Server", created_at=world.now)
            )
    assert world.store.catalog.tags.of("application/shop") == {"a": "b"}


def test_a_revision_stays_as_it_was_given(world: World) -> None:
    made_by_the_api(world)
    bare = S3Revision(bucket="b", key="k", bundle_type="zip")
    pinned = msgspec.structs.replace(bare, etag="e")
    assert world.store.catalog.revisions.use("shop", bare, world.now) == bare
    assert world.store.catalog.revisions.use("shop", pinned, world.now) == pinned
    assert world.store.catalog.revisions.get("shop", msgspec.structs.replace(bare, version="v")) is None
    with pytest.raises(RevisionDoesNotExist, match="give its content"):
        world.store.catalog.revisions.use("shop", AppSpecRevision(content="", sha256="0" * 64), world.now)


def test_a_rollout_of_a_manifest_uses_no_configuration_of_the_same_name(world: World) -> None:
    careful = msgspec.structs.replace(group("staging").rollout, name="careful")
    world.push("a", manifest(group("staging", rollout=careful)))
    assert world.store.catalog.configs.used_by("careful") is None
    made_by_the_api(world, "blog")
    world.store.catalog.groups.update(world.store.catalog.groups.get("blog", "live"), group("live", rollout=careful))
    assert world.store.catalog.configs.used_by("careful") == "blog/live"
