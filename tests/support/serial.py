"""One thing at a time: AWS calls, and whatever the corrections' own threads change, hold this lock."""

import threading

LOCK = threading.RLock()
