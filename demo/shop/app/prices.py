"""What things cost."""

PRICES = {"coffee": 2.80, "tea": 3.20}


def price_list() -> dict:
    return {name: f"{price:.2f} EUR" for name, price in PRICES.items()}
