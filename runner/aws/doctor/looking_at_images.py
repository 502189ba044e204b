"""A repository of images in ECR: is it there, and may the runner read it? With its own credentials, as it pins images."""

from runner.aws import Aws, AwsError
from runner.aws.doctor.allowing import judge
from runner.aws.doctor.findings import Finding, fine, missing
from runner.aws.doctor.identity import HASTE, identify
from runner.aws.doctor.need import Need
from runner.aws.doctor.subject import EcrRepository
from runner.model.aws import AwsPlace


def look_at_images(aws: Aws, image: EcrRepository) -> list[Finding]:
    """One finding for the repository where it was seen, else one for the permission. Raises `AwsError` as `identify`."""
    place, what = AwsPlace(region=image.region), f"image repository {image.name} in {image.region}"
    who = identify(aws, place)
    asked = {"registryId": image.account, "repositoryName": image.name, "maxResults": 1}
    try:
        aws.call(place, "ecr", "describe_images", asked, **HASTE)
    except AwsError as error:
        if error.aws_code == "RepositoryNotFoundException":
            return [missing(what, f"account {image.account} has no such repository")]
        arn = f"arn:{who.partition}:ecr:{image.region}:{image.account}:repository/{image.name}"
        return list(judge(aws, place, who, [Need("ecr", "describe_images", arn, asked)]))
    return [fine(what)]
