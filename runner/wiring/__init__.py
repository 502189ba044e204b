"""Config in, running program out: the one room that knows every adapter by name."""

from runner.wiring.places import config_file, now, state_folder, state_place
from runner.wiring.runner import Runner, open_runner

__all__ = ["Runner", "config_file", "now", "open_runner", "state_folder", "state_place"]
