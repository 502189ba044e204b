"""How many cases are generated, where many take long: a part in each run of the suite, other ones each time."""

import os


def cases(all_of_them: int) -> int:
    """A quarter, and all of them in `make test-large` and in CI."""
    return all_of_them if os.environ.get("PENSTOCK_ALL_CASES") else all_of_them // 4
