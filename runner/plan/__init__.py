"""Pure decisions: which hosts, in what order, how many at once, when to stop. No clock, no network, no database."""
