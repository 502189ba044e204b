"""`python -m runner` is the `penstock` command."""

from runner.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
