"""On-premises instances: those registered here, and the hosts of the configuration, which are changed there alone."""

import heapq
import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.listing import name_page
from runner.api.codedeploy.owned import configured
from runner.api.codedeploy.tag_filters import tag_filter
from runner.api.codedeploy.wire import Shape, tag_list
from runner.errors import Refused
from runner.model.application import OnPremisesInstance
from runner.model.tags import TagFilter
from runner.model.target import Host
from runner.ports.catalog import CatalogStore, Instances

Hosts = Callable[[], Iterable[Host]]

MOST_TAGS = 10  # of an instance
MOST_NAMES = 100  # in one call
_CHUNK = 500

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
_USER = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:user/[\w+=,.@/-]{1,512}", re.ASCII)
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+", re.ASCII)


def operations(catalog: CatalogStore, hosts: Hosts, arns: Arns) -> dict[str, Operation]:
    """*hosts*: of the configuration, without those that are registered here."""
    instances = _Instances(catalog.instances, hosts, arns)
    return {
        "RegisterOnPremisesInstance": Operation(instances.register, changes=True),
        "DeregisterOnPremisesInstance": Operation(instances.deregister, changes=True),
        "GetOnPremisesInstance": Operation(instances.get),
        "BatchGetOnPremisesInstances": Operation(instances.batch_get),
        "ListOnPremisesInstances": Operation(instances.list_),
        "AddTagsToOnPremisesInstances": Operation(instances.add_tags, changes=True),
        "RemoveTagsFromOnPremisesInstances": Operation(instances.remove_tags, changes=True),
    }


class _Instances:
    def __init__(self, instances: Instances, hosts: Hosts, arns: Arns) -> None:
        self._instances, self._hosts, self._arns = instances, hosts, arns

    def register(self, call: Call) -> Result:
        name = _checked(call.params["instanceName"])
        user, session = _iam_arns(call.params)
        if name in self._configured():
            raise Refused(
                "InstanceNameAlreadyRegisteredException",
                f"{name} is a host of Penstock's configuration already; choose another name",
            )
        self._instances.register(
            OnPremisesInstance(name=name, iam_user_arn=user, iam_session_arn=session, registered_at=call.now)
        )
        return {}

    def deregister(self, call: Call) -> Result:
        name = _checked(call.params["instanceName"])
        self._check_not_configured([name])
        self._instances.deregister(name, call.now)
        return {}

    def get(self, call: Call) -> Result:
        name = _checked(call.params["instanceName"])
        if (info := self._info(name)) is None:
            raise _not_registered(name)
        return {"instanceInfo": info}

    def batch_get(self, call: Call) -> Result:
        names = [_checked(name) for name in dict.fromkeys(call.params["instanceNames"])]
        return {"instanceInfos": [info for name in names if (info := self._info(name))]}

    def list_(self, call: Call) -> Result:
        filters = [tag_filter(each, "InvalidTagFilterException") for each in call.params.get("tagFilters", ())]
        status = call.params.get("registrationStatus")
        registered = None if status is None else status == "Registered"
        return name_page(call, "instanceNames", lambda after, limit: self._names(registered, filters, after, limit))

    def add_tags(self, call: Call) -> Result:
        new = _tags(call.params)
        for instance in self._tagged(call.params):
            tags = {**instance.tags, **new}
            if len(tags) > MOST_TAGS:
                raise Refused(
                    "TagLimitExceededException", f"{instance.name} would have {len(tags)} tags; at most {MOST_TAGS}"
                )
            self._instances.tag(instance.name, tags)
        return {}

    def remove_tags(self, call: Call) -> Result:
        old = _tags(call.params)
        for instance in self._tagged(call.params):
            self._instances.tag(instance.name, dict(instance.tags.items() - old.items()))
        return {}

    def _tagged(self, params: Shape) -> list[OnPremisesInstance]:
        """All instances that are named, each registered."""
        names = [_checked(name) for name in dict.fromkeys(params["instanceNames"])]
        if len(names) > MOST_NAMES:
            raise Refused("InstanceLimitExceededException", f"{len(names)} instances; at most {MOST_NAMES} in a call")
        self._check_not_configured(names)
        found = {name: self._instances.find(name) for name in names}
        for name, instance in found.items():
            if instance is None or instance.deregistered_at is not None:
                raise _not_registered(name)
        return [instance for instance in found.values() if instance]

    def _configured(self) -> dict[str, Host]:
        return {host.name: host for host in self._hosts()}

    def _check_not_configured(self, names: list[str]) -> None:
        known = self._configured()
        for name in names:
            if name in known:
                raise configured(name)

    def _info(self, name: str) -> Shape | None:
        """An `InstanceInfo`. A host of the configuration has neither an ARN of IAM nor times."""
        if (host := self._configured().get(name)) is not None:
            return {"instanceName": name, "instanceArn": self._arns.instance(name), "tags": tag_list(host.tags)}
        if (found := self._instances.find(name)) is None:
            return None
        return {
            "instanceName": name,
            "iamSessionArn": found.iam_session_arn,
            "iamUserArn": found.iam_user_arn,
            "instanceArn": self._arns.instance(name),
            "registerTime": found.registered_at,
            "deregisterTime": found.deregistered_at,
            "tags": tag_list(found.tags),
        }

    def _names(self, registered: bool | None, filters: list[TagFilter], after: str | None, limit: int) -> list[str]:
        """A host matches when one of the filters does, or there is none."""
        known = self._configured()
        here = () if registered is False else sorted(known.values(), key=lambda host: host.name)
        ours = (host.name for host in here if (after is None or host.name > after) and _match(filters, host.tags))
        stored = self._stored(registered, after)
        theirs = (each.name for each in stored if each.name not in known and _match(filters, each.tags))
        return list(itertools.islice(heapq.merge(ours, theirs), limit))

    def _stored(self, registered: bool | None, after: str | None) -> Iterator[OnPremisesInstance]:
        while chunk := self._instances.page(registered, after, _CHUNK):
            yield from chunk
            after = chunk[-1].name


def _match(filters: list[TagFilter], tags: dict[str, str]) -> bool:
    return not filters or any(each.matches(tags) for each in filters)


def _checked(name: str) -> str:
    """Colons and slashes would make two readings of an ARN."""
    if not name:
        raise Refused("InstanceNameRequiredException", "an instance needs a name")
    if not _NAME.fullmatch(name):
        raise Refused(
            "InvalidInstanceNameException", f"{name[:120]!r}: a name has 1 to 100 of A-Z a-z 0-9 + = , . @ _ -"
        )
    return name


def _iam_arns(params: Shape) -> tuple[str | None, str | None]:
    user, session = params.get("iamUserArn"), params.get("iamSessionArn")
    if user is not None and session is not None:
        raise Refused("MultipleIamArnsProvidedException", "give iamUserArn or iamSessionArn, not both")
    if user is None and not session:
        raise Refused("IamArnRequiredException", "an instance needs an iamUserArn or an iamSessionArn")
    if user == "":
        raise Refused("IamUserArnRequiredException", "the iamUserArn is empty")
    if user is not None and not _USER.fullmatch(user):
        raise Refused("InvalidIamUserArnException", "an iamUserArn reads arn:aws:iam::ACCOUNT:user/NAME")
    if session is not None and not _SESSION.fullmatch(session):
        raise Refused(
            "InvalidIamSessionArnException", "an iamSessionArn reads arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME"
        )
    return user, session


def _tags(params: Shape) -> dict[str, str]:
    """A tag has a key and a value; the last value of a key counts."""
    if len(params["tags"]) > MOST_TAGS:
        raise Refused("TagLimitExceededException", f"{len(params['tags'])} tags; an instance has at most {MOST_TAGS}")
    found = {}
    for tag in params["tags"]:
        key, value = tag.get("Key") or "", tag.get("Value")
        if not 1 <= len(key) <= 128 or value is None or len(value) > 256:
            raise Refused("InvalidTagException", "a tag has a Key of 1 to 128 characters and a Value of at most 256")
        found[key] = value
    return found


def _not_registered(name: str) -> Refused:
    return Refused("InstanceNotRegisteredException", f"No on-premises instance found for name: {name}")
