"""What the listener answers. Today: how the runner is, for people and for load balancers."""
