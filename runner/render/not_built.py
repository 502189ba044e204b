"""Words of the manifest's plan that this version does not know yet: whoever writes one gets told so, not "unknown".

Keys by the dotted path of their mapping, values by the path of the value; `*` is any name or index.
"""

from runner.schema import NotBuilt

NOT_BUILT: NotBuilt = {
    "revision": frozenset({"github", "bitbucket"}),
    "revision.s3.pin": frozenset({"digest"}),
    "checks.*": frozenset({"prometheus", "max", "no_data"}),
    "rollouts.*.steps.*": frozenset({"approve"}),
    "deployment_groups.*": frozenset({"approve", "window", "freeze"}),
    "deployment_groups.*.rollback": frozenset({"block_revision", "git"}),
    "rollback": frozenset({"block_revision", "git"}),
}
