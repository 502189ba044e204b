"""What runs on a machine that is deployed to: carries out lifecycle events, each exactly once, and keeps its own journal.

Standard library only, Python 3.8, imports nothing else of this project: it travels to hosts by itself. It decides
nothing about a rollout; which event runs next on which host is the control side's affair.
"""
