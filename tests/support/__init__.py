"""AWS on loopback for the tests of the platforms Lambda, ECS and EC2: see `cloud`."""
