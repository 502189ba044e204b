"""Starts what runs on a host, also straight from its folder: `python -I -S <this folder> hub`."""

import os
import sys

if not __package__:  # started by path: name the folder that holds the package, and not this one, whose names are ours
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.path.append(os.path.dirname(os.path.dirname(here)))

from runner.host.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
