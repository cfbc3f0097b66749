"""Planted faults: small changes of the code, each of which the explorer must find. `python -m` runs all of them."""
