"""Lambda functions that really run: AWS' own runtime client (PyPI awslambdaric) in processes behind a Runtime API."""
