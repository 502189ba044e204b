"""Starts the executor where it stands on a host, beside its zipapp, in the quickest way that this Python allows."""

import gc
import marshal
import os
import sys

gc.disable()  # until all is loaded: nothing of that is garbage
PLACE = os.path.dirname(os.path.abspath(__file__))
ZIPAPP = os.path.join(PLACE, "penstock-host.pyz")
MAGIC = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
sys.path[0] = ZIPAPP
try:
    with open(os.path.join(PLACE, "modules-" + MAGIC[:2].hex()), "rb") as file:
        codes = marshal.loads(file.read())
    found = {}  # type: ignore[var-annotated]
    exec(marshal.loads(codes["runner.host.modules"][1]), found)
    found["use"](codes)
except Exception:  # noqa: BLE001  another Python's, or damaged: the sources are there
    from runner.host import modules

    modules.make(PLACE, ZIPAPP)

from runner.host.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
