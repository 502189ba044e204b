"""GitHub tokens and stacks of CloudFormation: Penstock keeps neither, and says so in the API's own words.

Repositories on GitHub are read with the credentials of its configuration.
"""

from runner.api.call import Call, Operation, Result
from runner.errors import Refused


def operations() -> dict[str, Operation]:
    return {
        "ListGitHubAccountTokenNames": Operation(_list),
        "DeleteGitHubAccountToken": Operation(_delete, changes=True),
        "DeleteResourcesByExternalId": Operation(lambda call: {}, changes=True),
    }


def _list(call: Call) -> Result:
    call.pages.after()
    return {"tokenNameList": []}


def _delete(call: Call) -> Result:
    name = call.params.get("tokenName")
    raise Refused(
        "GitHubAccountTokenDoesNotExistException",
        f"there is no GitHub token {name}: credentials are named in the configuration, with their repository",
    )
