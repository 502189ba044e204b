"""Pull requests: what merging them would deploy, told before anybody merges. Nothing is deployed here."""

from runner.previews.making import Maker as Maker
from runner.previews.telling import Previews as Previews
