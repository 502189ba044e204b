"""TagResource, UntagResource, ListTagsForResource."""

from collections.abc import Mapping, Sequence
from typing import Any

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.arns import Arns, Resource
from runner.api.codedeploy.wire import tag_list
from runner.errors import Refused, UserError
from runner.ports.catalog import CatalogStore

MOST = 50  # tags of a resource; AWS's general limit

_INVALID = "InvalidTagsToAddException"


def operations(catalog: CatalogStore, arns: Arns) -> dict[str, Operation]:
    tagging = _Tagging(catalog, arns)
    return {
        "TagResource": Operation(tagging.add, changes=True),
        "UntagResource": Operation(tagging.remove, changes=True),
        "ListTagsForResource": Operation(tagging.show),
    }


def resource_tags(tags: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Tags to add to a resource, in the wire API's shape. Raises `Refused`, InvalidTagsToAdd."""
    if len(tags) > MOST:
        raise Refused(_INVALID, f"{len(tags)} tags are too many; a resource may have {MOST}")
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise Refused(_INVALID, "a tag has a Key of 1 to 128 characters and a Value of at most 256")
        if key.lower().startswith("aws:"):
            raise Refused(_INVALID, f"{key}: keys that begin with aws: are reserved")
        if key in found:
            raise Refused(_INVALID, f"the key {key} is there twice")
        found[key] = value
    return found


class _Tagging:
    def __init__(self, catalog: CatalogStore, arns: Arns) -> None:
        self._catalog, self._arns = catalog, arns

    def add(self, call: Call) -> Result:
        tags = resource_tags(call.params["Tags"])
        resource = self._resource(self._arns.parse(call.params["ResourceArn"]))
        if len(self._catalog.tags.of(resource) | tags) > MOST:
            raise Refused(_INVALID, f"the resource would have more than {MOST} tags")
        self._catalog.tags.add(resource, tags)
        return {}

    def remove(self, call: Call) -> Result:
        resource = self._resource(self._arns.parse(call.params["ResourceArn"]))
        self._catalog.tags.remove(resource, call.params["TagKeys"])
        return {}

    def show(self, call: Call) -> Result:
        call.pages.after()  # there is one page, and no token is one of it
        named = self._arns.parse(call.params["ResourceArn"])
        try:
            resource = self._resource(named)
        except UserError as error:  # the operation declares no exception for what does not exist
            raise Refused("InvalidArnException", f"{call.params['ResourceArn']}: {error}") from error
        return {"Tags": tag_list(self._catalog.tags.of(resource))}

    def _resource(self, named: Resource) -> str:
        """Under which name its tags are kept. Raises what says that it does not exist."""
        match named.kind:
            case "application":
                return f"application/{self._catalog.applications.get(named.name).id}"
            case "deploymentgroup":
                application = self._catalog.applications.get(named.name)
                return f"deploymentgroup/{self._catalog.groups.get(application.name, named.group).id}"
            case "deploymentconfig":
                return f"deploymentconfig/{self._catalog.configs.get(named.name).id}"
