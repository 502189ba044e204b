"""Create, get, list, rename and delete applications."""

import uuid

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.listing import name_page
from runner.api.codedeploy.owned import check_not_owned
from runner.api.codedeploy.tags import resource_tags
from runner.api.codedeploy.wire import Shape
from runner.errors import ApplicationDoesNotExist, Refused
from runner.model.application import Application
from runner.ports.catalog import CatalogStore

MOST = 1000


def operations(catalog: CatalogStore) -> dict[str, Operation]:
    applications = _Applications(catalog)
    return {
        "CreateApplication": Operation(applications.create, changes=True),
        "GetApplication": Operation(applications.get),
        "BatchGetApplications": Operation(applications.batch_get),
        "ListApplications": Operation(applications.list_),
        "UpdateApplication": Operation(applications.rename, changes=True),
        "DeleteApplication": Operation(applications.delete, changes=True),
    }


def application_info(application: Application) -> Shape:
    """An `ApplicationInfo`."""
    return {
        "applicationId": application.id,
        "applicationName": application.name,
        "createTime": application.created_at,
        "linkedToGitHub": False,
        "computePlatform": application.platform,
    }


class _Applications:
    def __init__(self, catalog: CatalogStore) -> None:
        self._catalog, self._applications = catalog, catalog.applications

    def create(self, call: Call) -> Result:
        tags = resource_tags(call.params.get("tags", ()))
        made = Application(
            id=str(uuid.uuid4()),
            name=call.params["applicationName"],
            platform=call.params.get("computePlatform", "Server"),
            created_at=call.now,
        )
        if self._applications.count() >= MOST:
            raise Refused("ApplicationLimitExceededException", f"there are {MOST} applications; delete one first")
        self._applications.create(made)
        self._catalog.tags.add(f"application/{made.id}", tags)
        return {"applicationId": made.id}

    def get(self, call: Call) -> Result:
        return {"application": application_info(self._applications.get(call.params["applicationName"]))}

    def batch_get(self, call: Call) -> Result:
        names = dict.fromkeys(call.params["applicationNames"])
        return {"applicationsInfo": [application_info(self._applications.get(name)) for name in names]}

    def list_(self, call: Call) -> Result:
        return name_page(call, "applications", self._applications.names)

    def rename(self, call: Call) -> Result:
        application = self._applications.get(call.params["applicationName"])
        check_not_owned(application)
        new = call.params.get("newApplicationName", application.name)
        if new != application.name:
            self._applications.rename(application.name, new)
        return {}

    def delete(self, call: Call) -> Result:
        """An application that is not there is deleted already: the operation has no exception for it."""
        try:
            application = self._applications.get(call.params["applicationName"])
        except ApplicationDoesNotExist:
            return {}
        check_not_owned(application)
        if active := self._applications.unfinished(application.name):
            raise Refused(
                "InvalidOperationException",
                f"deployment {active} of application {application.name} has not ended; stop it, or wait, then delete",
            )
        self._applications.delete(application.name)
        return {}
