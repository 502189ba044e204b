"""Starts what runs on a host, also straight from its folder: `python -I -S <this folder> hub`."""

import gc
import os
import sys

gc.disable()  # until all is loaded: nothing of that is garbage

if not __package__:  # started by path: name the folder that holds the package, and not this one, whose names are ours
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.path.append(os.path.dirname(os.path.dirname(here)))

from runner.host.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
