from support.fixtures import aws, shared_cloud  # noqa: F401
