"""What the standard library has, without what importing that costs on every start of the executor."""
