"""Register, get and list the revisions of an application."""

import re

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.listing import SIZE
from runner.api.codedeploy.wire import Shape, location_revision, revision_info, revision_location
from runner.errors import InvalidRevision, Refused, RevisionDoesNotExist
from runner.plan.revisions import check_platform
from runner.ports.catalog import CatalogStore, RevisionFilter, Times

_SORTS: dict[str, Times] = {
    "registerTime": "registered_at",
    "firstUsedTime": "first_used_at",
    "lastUsedTime": "last_used_at",
}
_TARGETED: dict[str, bool | None] = {"include": True, "exclude": False, "ignore": None}
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")  # the oldest buckets have names that are not allowed any more
_LONGEST_KEY = 1024  # bytes of UTF-8


def operations(catalog: CatalogStore) -> dict[str, Operation]:
    revisions = _Revisions(catalog)
    return {
        "RegisterApplicationRevision": Operation(revisions.register, changes=True),
        "GetApplicationRevision": Operation(revisions.get),
        "BatchGetApplicationRevisions": Operation(revisions.batch_get),
        "ListApplicationRevisions": Operation(revisions.list_),
    }


class _Revisions:
    def __init__(self, catalog: CatalogStore) -> None:
        self._applications, self._revisions = catalog.applications, catalog.revisions

    def register(self, call: Call) -> Result:
        """Nobody looks whether the object is there; a deployment will."""
        revision = location_revision(call.params["revision"])
        application = self._applications.get(call.params["applicationName"])
        check_platform(revision, application.platform)
        try:
            self._revisions.register(application.name, revision, call.params.get("description"), call.now)
        except RevisionDoesNotExist as error:  # which the operation does not declare
            raise InvalidRevision(str(error)) from error
        return {}

    def get(self, call: Call) -> Result:
        revision = location_revision(call.params["revision"])
        application = self._applications.get(call.params["applicationName"])
        found = self._revisions.get(application.name, revision)
        if found is None:
            raise RevisionDoesNotExist(
                f"application {application.name} has no revision {revision.label}; a revision that was registered with "
                "an ETag or a version is named with them"
            )
        return {
            "applicationName": application.name,
            "revision": revision_location(found.revision, content=True),
            "revisionInfo": revision_info(found),
        }

    def batch_get(self, call: Call) -> Result:
        wanted = [location_revision(each) for each in call.params["revisions"]]
        application = self._applications.get(call.params["applicationName"])
        found, unknown = [], []
        for revision in wanted:
            known = self._revisions.get(application.name, revision)
            found.append(known) if known else unknown.append(revision.label)
        return {
            "applicationName": application.name,
            "errorMessage": f"The following revisions are not registered: {', '.join(unknown)}" if unknown else None,
            "revisions": [
                {
                    "revisionLocation": revision_location(each.revision, content=True),
                    "genericRevisionInfo": revision_info(each),
                }
                for each in found
            ],
        }

    def list_(self, call: Call) -> Result:
        which = _filter(call.params)
        application = self._applications.get(call.params["applicationName"])
        position = call.pages.after()
        page = self._revisions.page(application.name, which, position["after"] if position else None, SIZE)
        return {
            "revisions": [revision_location(each) for each in page.revisions],
            "nextToken": call.pages.token({"after": page.after}) if page.after else None,
        }


def _filter(params: Shape) -> RevisionFilter:
    bucket, prefix = params.get("s3Bucket"), params.get("s3KeyPrefix")
    if bucket is None and prefix is not None:
        raise Refused("BucketNameFilterRequiredException", "s3KeyPrefix needs s3Bucket")
    if bucket is not None and not _BUCKET.fullmatch(bucket):
        raise Refused("InvalidBucketNameFilterException", f"{bucket!r} is no name of a bucket")
    if prefix is not None and len(prefix.encode()) > _LONGEST_KEY:
        raise Refused("InvalidKeyPrefixFilterException", f"a key has at most {_LONGEST_KEY} bytes")
    return RevisionFilter(
        sort=_SORTS.get(params.get("sortBy", "")),
        descending=params.get("sortOrder") == "descending",
        bucket=bucket,
        key_prefix=prefix or "",
        targeted=_TARGETED[params.get("deployed", "ignore")],
    )
