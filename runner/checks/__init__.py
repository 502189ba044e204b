"""What tells a rollout that something is wrong: CloudWatch alarms and HTTP checks, looked at again and again."""
