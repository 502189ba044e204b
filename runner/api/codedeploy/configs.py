"""Create, get, list and delete deployment configurations."""

import uuid

from runner.api.call import Call, Operation, Result
from runner.api.codedeploy.config_checks import check_name, check_traffic, check_zonal, minimum_healthy
from runner.api.codedeploy.listing import name_page
from runner.api.codedeploy.wire import config_info
from runner.errors import Refused
from runner.model.application import DeploymentConfig
from runner.ports.catalog import Configs
from runner.render.deployment_configs import PREFIX

MOST = 200


def operations(configs: Configs) -> dict[str, Operation]:
    made = _Configs(configs)
    return {
        "CreateDeploymentConfig": Operation(made.create, changes=True),
        "GetDeploymentConfig": Operation(made.get),
        "ListDeploymentConfigs": Operation(made.list_),
        "DeleteDeploymentConfig": Operation(made.delete, changes=True),
    }


class _Configs:
    def __init__(self, configs: Configs) -> None:
        self._configs = configs

    def create(self, call: Call) -> Result:
        given = call.params
        platform = given.get("computePlatform", "Server")
        check_name(given["deploymentConfigName"])
        minimum = minimum_healthy(given.get("minimumHealthyHosts"), platform)
        check_traffic(given.get("trafficRoutingConfig"), platform)
        check_zonal(given.get("zonalConfig"), platform)
        made = DeploymentConfig(
            id=str(uuid.uuid4()),
            name=given["deploymentConfigName"],
            platform=platform,
            minimum_healthy=minimum,
            traffic=given.get("trafficRoutingConfig"),
            zonal=given.get("zonalConfig"),
            created_at=call.now,
        )
        if self._configs.count() >= MOST:
            raise Refused(
                "DeploymentConfigLimitExceededException", f"there are {MOST} custom configurations; delete one first"
            )
        self._configs.create(made)
        return {"deploymentConfigId": made.id}

    def get(self, call: Call) -> Result:
        return {"deploymentConfigInfo": config_info(self._configs.get(call.params["deploymentConfigName"]))}

    def list_(self, call: Call) -> Result:
        return name_page(call, "deploymentConfigsList", self._configs.names)

    def delete(self, call: Call) -> Result:
        name = call.params["deploymentConfigName"]
        if name.startswith(PREFIX):
            raise Refused("InvalidOperationException", f"{name} is predefined and cannot be deleted")
        if user := self._configs.used_by(name):
            raise Refused(
                "DeploymentConfigInUseException", f"deployment group {user} uses {name}; give it another first"
            )
        self._configs.delete(name)
        return {}
