"""A search by formula, compiled: all streams over all their options, by moves and by destroying and repairing.

The formula: each agent is a queue with priorities (`queue.py`); an option costs what it adds to the queues of its legs.
"""
