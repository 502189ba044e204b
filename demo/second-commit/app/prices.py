"""What things cost, now in the currency of the stage."""

import os

PRICES = {"coffee": 2.80, "tea": 3.20}
CURRENCIES = {"staging": "EUR"}  # production was forgotten: the mistake that the rollout has to catch


def price_list() -> dict:
    currency = CURRENCIES[os.environ["STAGE"]]
    return {name: f"{price:.2f} {currency}" for name, price in PRICES.items()}
