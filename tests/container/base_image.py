"""A stand-in for `python:3.12-slim`, for machines that reach no registry: this machine's Python and a few of its commands.

It has the layout of the real image (/usr/local/bin/python, pip, /bin/sh, coreutils, certificates), not its contents. Made as
a tar archive; what a program needs of shared libraries is asked of `ldd`.
"""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pip

COMMANDS = (
    *("bash", "cat", "chmod", "chown", "cp", "echo", "env", "find", "id", "install", "ln", "ls", "mkdir", "mv"),
    *("rm", "sh", "sleep", "stat", "test", "touch", "true"),
)
_SKIPPED = {
    *("__pycache__", "site-packages", "dist-packages", "test", "tests"),
    *("idlelib", "tkinter", "turtledemo", "lib2to3"),
}
_FOR_WHEELS = ("libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "librt.so.1", "libstdc++.so.6", "libutil.so.1")
_LIBRARY = re.compile(r"(/\S+) \(0x")


def write(archive: Path) -> None:
    """Write the root file system. Everything belongs to root."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    standard = base / "lib" / version
    binary = Path(sys.base_exec_prefix, "bin", version).resolve()
    with tarfile.open(archive, "w") as out:
        for link in ("bin", "sbin", "lib", "lib64"):
            if Path("/", link).is_symlink():
                out.add(Path("/", link), link)
        for folder in ("proc", "sys", "dev", "run", "root", "etc", "var", "var/lib", "var/tmp", "home"):
            _folder(out, folder)
        _folder(out, "tmp", 0o1777)
        _text(out, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")
        _text(out, "etc/group", "root:x:0:\nnogroup:x:65534:\n")
        _text(out, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            _file(out, certificates, certificates)
            _link(out, "usr/lib/ssl/certs", "/etc/ssl/certs")  # where OpenSSL looks on Debian
        _python(out, version, binary, standard)
        programs = [Path(found) for each in COMMANDS if (found := shutil.which(each, path="/usr/bin:/bin"))]
        for program in programs:
            _file(out, program.resolve(), _placed(program))
        extensions = [each for each in standard.rglob("*.so") if not _SKIPPED & set(each.parts)]
        libraries = {_placed(each): each for each in _libraries([binary, *programs, *extensions])}
        for place, library in sorted(libraries.items()):
            _file(out, library.resolve(), place)


def _python(out: tarfile.TarFile, version: str, binary: Path, standard: Path) -> None:
    _file(out, binary, Path("/usr/local/bin", version))
    for name in ("python3", "python"):
        _link(out, f"usr/local/bin/{name}", version)
    for name in ("pip", "pip3"):
        _text(out, f"usr/local/bin/{name}", '#!/bin/sh\nexec /usr/local/bin/python -m pip "$@"\n', 0o755)

    def wanted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = Path(info.name).name
        return None if name in _SKIPPED or name.startswith("config-") else _roots(info)  # config-*: a static library

    out.add(standard, f"usr/local/lib/{version}", filter=wanted)
    packages = "site-packages"
    if (
        "dist-packages"
        in subprocess.run(
            [binary, "-c", "import sys; print(sys.path)"], capture_output=True, text=True, check=True
        ).stdout
    ):
        packages = "dist-packages"  # Debian's Python looks there
    of_pip = Path(pip.__file__).parent
    skip_compiled = lambda info: None if "__pycache__" in info.name else _roots(info)  # noqa: E731
    out.add(of_pip, f"usr/local/lib/{version}/{packages}/pip", filter=skip_compiled)


def _libraries(programs: Iterable[Path]) -> Iterator[Path]:
    """What the dynamic linker would load for them."""
    found: set[str] = set()
    for program in programs:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        found.update(_LIBRARY.findall(done.stdout))
    yield from map(Path, found)
    # Compiled wheels may expect these of any Linux, and they stand beside the C library.
    beside = {Path(each).parent for each in found if Path(each).name == "libc.so.6"} | {Path("/usr/lib64")}
    for folder in beside:
        yield from (folder / name for name in _FOR_WHEELS if (folder / name).exists())


def _placed(path: Path) -> Path:
    """Where a file stands when its folder's links are followed, so that nothing is written through a link."""
    return path.parent.resolve() / path.name


def _roots(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def _file(out: tarfile.TarFile, source: Path, place: Path) -> None:
    info = _roots(out.gettarinfo(source, str(place).lstrip("/")))
    info.type, info.linkname = tarfile.REGTYPE, ""  # a second name of one file is a file here
    info.size = source.stat().st_size
    with source.open("rb") as content:
        out.addfile(info, content)


def _text(out: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text.encode()), mode
    out.addfile(info, io.BytesIO(text.encode()))


def _folder(out: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    out.addfile(info)


def _link(out: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    out.addfile(info)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
