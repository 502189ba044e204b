"""One host's folder to install revisions into, without sessions, journals and bundles."""

from pathlib import Path
from typing import Any

from runner.host.files.install import install
from runner.host.layout import Layout
from runner.host.request import Request


class Rig:
    """One host folder; `revision` puts files into a deployment's archive, `install` installs them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self._number = 0

    def revision(self, files: dict[str, str]) -> Path:
        self._number += 1
        archive = Path(self.layout().archive)
        archive.mkdir(parents=True)
        for name, content in {"appspec.yml": "version: 0.0", **files}.items():
            (archive / name).parent.mkdir(parents=True, exist_ok=True)
            (archive / name).write_text(content)
        return archive

    def layout(self) -> Layout:
        layout = Layout(str(self.root), "g", f"d-{self._number}")
        layout.make()
        return layout

    def request(self, spec: dict[str, Any], **members: Any) -> Request:
        return Request.from_json(
            {
                "deployment": f"d-{self._number}",
                "group_id": "g",
                "application": "shop",
                "group": "production",
                "event": "Install",
                "attempt": 1,
                "folder": str(self.root),
                "appspec": spec,
                "bundle": {"path": "", "type": "tgz", "sha256": ""},
                **members,
            }
        )

    def install(self, spec: dict[str, Any], **members: Any) -> None:
        install(self.request(spec, **members), self.layout())

    def cleanup(self) -> list[str]:
        return [str(Path(line).relative_to(self.root)) for line in Path(self.layout().cleanup).read_text().splitlines()]


def copies(**mapping: str) -> dict[str, Any]:
    return {"files": [{"source": source, "destination": to} for source, to in mapping.items()]}
