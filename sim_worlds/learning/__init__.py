"""Scenarios as learning environments. The only package that imports pettingzoo and gymnasium."""
