"""Simulates a team under a plan, by the rules of its agents' schedulers, compiled to machine code.

`team.py` turns a problem and a plan into arrays, `simulate.py` is the loop over events, `outcome.py` makes the figures.
The rules are those of `agents/scheduling`; what is left out is said at each. Virtual time tells how well they agree
(`swarm bench forecast`).
"""
