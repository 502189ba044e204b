"""A repository on a forge, its checkout as a job has it, two hosts that are folders, and our action run on them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from composite_action import Composite, Ended, Running
from local_git import commit, git, new_repository

ACTION = Path(__file__).parents[1]
MANIFEST = """penstock: v1
application: shop
platform: Server
rollback: {on: [failure]}
deployment_groups:
  production:
    targets: {tags: {stage: production}}
    rollout: CodeDeployDefault.OneAtATime
"""
APPSPEC = """version: 0.0
os: linux
files:
  - {source: page, destination: /srv/shop}
hooks:
  ValidateService:
    - {location: hook.sh, timeout: 120}
"""
HOOK = """#!/bin/sh
echo "::set-output name=status::Succeeded"
printf 'half a line\\r::error::forged\\n'
echo "look ##[error]forged as well"
touch "$PENSTOCK_ROOT/begun"
while [ -e "$PENSTOCK_ROOT/held" ]; do sleep 0.05; done
[ ! -e "$PENSTOCK_ROOT/srv/shop/broken" ] || { echo "the database is gone" >&2; exit 7; }
"""


class Job:
    """*done*: the outputs of steps that need not run again."""

    def __init__(self, folder: Path, done: Mapping[str, dict[str, str]] | None = None) -> None:
        self.folder, self.state = folder, folder / "state"
        self.origin, self.workspace = folder / "origin" / "shop", folder / "work" / "shop"
        self._done = dict(done or {})
        new_repository(self.origin)
        self.write("penstock.yaml", MANIFEST)
        self.write("appspec.yml", APPSPEC)
        self.write("hook.sh", HOOK).chmod(0o755)
        self.write("page/index.html", "hello")
        self.write("penstock.toml", "".join(self._host(f"web-{number}") for number in (1, 2)))
        self.push()

    def _host(self, name: str) -> str:
        (self.folder / name).mkdir()
        return f'[hosts.{name}]\nfolder = "{self.folder / name}"\ntags = {{stage = "production"}}\n'

    def write(self, name: str, content: str) -> Path:
        file = self.origin / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def push(self) -> str:
        """Commit what was written, and check it out."""
        git(self.origin, "add", "--all")
        self.sha = commit(self.origin)
        self.check_out()
        return self.sha

    def check_out(self) -> None:
        """As actions/checkout does: one commit, on its branch."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        git(self.workspace, "init", "--quiet")
        git(self.workspace, "fetch", "--quiet", "--depth=1", f"file://{self.origin}", "main")
        git(self.workspace, "checkout", "--quiet", "--force", "-B", "main", "FETCH_HEAD")

    def run(
        self,
        heard: Callable[[str, Running], None] = lambda line, running: None,
        environment: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Ended:
        """Inputs by their names, with `_` for `-`. The state is in a folder, unless they say otherwise."""
        github = {
            "sha": self.sha,
            "repository": "acme/shop",
            "server_url": "https://github.example.com",
            "run_id": "41",
        }
        action = Composite(ACTION, self.workspace, self.folder / "temp", github)
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        if "mode" not in given:
            given = {"state": str(self.state), **given}
        return action.run(given, environment=environment, done=self._done, heard=heard)

    def page(self, host: str) -> str | None:
        """What *host* serves."""
        file = self.folder / host / "srv/shop/index.html"
        return file.read_text() if file.exists() else None

    def hold(self, host: str) -> None:
        (self.folder / host / "held").touch()

    def release(self, host: str) -> None:
        (self.folder / host / "held").unlink(missing_ok=True)


def ours(ended: Ended) -> bool:
    """Whether every command is one that the action gives, and every group was closed."""
    groups = [each.name for each in ended.named("group", "endgroup")]
    known = ("group", "endgroup", "error", "warning", "notice")
    return len(ended.named(*known)) == len(ended.commands) and groups == ["group", "endgroup"] * (len(groups) // 2)
