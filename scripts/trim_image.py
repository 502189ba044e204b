"""Takes out of the image's environment what Penstock never reads: the models of AWS services that it does not speak to.

botocore ships the models of all services of AWS, some 20 MB compressed of which Penstock needs a tenth. Run by the
Dockerfile: `python trim_image.py ENVIRONMENT`. tests/container proves that each service that the program names is kept.
"""

import shutil
import sys
from pathlib import Path

KEPT = frozenset(
    {
        "autoscaling",
        "cloudwatch",
        "codedeploy",
        "ec2",
        "ecr",
        "ecs",
        "elb",
        "elbv2",
        "iam",
        "lambda",
        "s3",
        "sns",
        "sso",  # these two by boto3 itself, for credentials of IAM Identity Center
        "sso-oidc",
        "sts",
    }
)


def trim(environment: Path) -> list[str]:
    """Remove the models of all services but `KEPT`; returns the names of those that are left."""
    (data,) = environment.glob("lib/python3*/site-packages/botocore/data")
    services = {each.name: each for each in data.iterdir() if each.is_dir()}
    if missing := KEPT - services.keys():
        raise SystemExit(f"botocore has no model of {', '.join(sorted(missing))}; mend KEPT in {__file__}")
    for name in services.keys() - KEPT:
        shutil.rmtree(services[name])
    return sorted(KEPT)


if __name__ == "__main__":
    print("kept the models of", *trim(Path(sys.argv[1])))
