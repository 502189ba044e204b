"""CodeDeploy's operations: checked parameters in, the members of the answer out."""
