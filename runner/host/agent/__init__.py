"""The agent: asks the control side for commands over HTTP and has them carried out by the executor of this package.

It decides nothing and runs nothing itself: it fetches, checks signatures, passes on, and reports. What may have
happened already is for the executor's journal to say, so the agent may die at any moment.
"""
