"""Figures beside their floors: what a thing costs, next to the least that it could cost on the same machine.

Benchmarks are not tests: nothing here fails because something was slow. Each module is one benchmark, whose `measure`
returns a table. Cases and floors take turns, so that a noisy neighbour meets both.
"""
