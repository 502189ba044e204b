"""Running the command line in this very process, on a small application in a real checkout."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from local_git import git, new_repository

from runner.cli.main import main

PRODUCTION = """\
  production:
    targets: {tags: {stage: production}}
    after: {group: staging}
    rollout: one_by_one
rollouts:
  one_by_one: {max_failed: 0, steps: [{batch: 1, repeat: true}]}
"""


class Said(NamedTuple):
    """What one command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Penstock:
    """`penstock` in the folder *here*."""

    def __init__(self, here: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.here, self.state, self._capsys = here, state, capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        status = main(arguments)
        return Said(status, *self._capsys.readouterr())

    def checkout(self) -> str:
        """What `penstock init` writes, committed; returns the commit ID."""
        new_repository(self.here)
        assert self("init").status == 0
        return self.commit()

    def commit(self) -> str:
        git(self.here, "add", "--all")
        git(self.here, "commit", "--quiet", "--message", "a change")
        return git(self.here, "rev-parse", "HEAD")

    def add_production(self) -> str:
        """A second group with three hosts, one after the other; web-2 breaks where there is a file `broken`."""
        manifest = self.here / "penstock.yaml"
        text = manifest.read_text()
        manifest.write_text(text.replace("# When a deployment fails", f"{PRODUCTION}\n# When a deployment fails"))
        with (self.here / "penstock.toml").open("a") as config:
            for number in (1, 2, 3):
                config.write(f'[hosts.web-{number}]\nfolder = "hosts/web-{number}"\ntags = {{stage = "production"}}\n')
                config.write(f'environment = {{NUMBER = "{number}"}}\n')
        script = self.here / "scripts" / "validate.sh"
        script.write_text(
            '#!/bin/sh\necho "I am ${NUMBER:-0}"\nif [ -e "$PENSTOCK_ROOT/opt/shop/broken" ] && [ "${NUMBER:-0}" = 2 ]\n'
            'then echo "the database is gone" >&2; exit 7; fi\n'
        )
        return self.commit()

    def break_it(self) -> str:
        """A commit that does not work on web-2."""
        (self.here / "broken").touch()
        return self.commit()
