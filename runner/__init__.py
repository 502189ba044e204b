"""Penstock: a GitOps pipeline runner on AWS CodeDeploy's model. The flow of the house is in `flow.py`."""

__version__ = "0.1.0"
