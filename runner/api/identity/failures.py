"""Slows down who fails to identify itself over and over: by address, so that guessing takes for ever."""

import ipaddress
import time

from runner.api.identity.buckets import Buckets, Seconds
from runner.errors import Refused

RATE, BURST = 5.0, 100.0  # failures a second, and at once
