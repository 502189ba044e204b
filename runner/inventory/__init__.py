"""Which machines a cloud has. Which of them a deployment is for is said by the deployment group's settings."""
