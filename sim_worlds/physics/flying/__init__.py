"""Quadrotors as rigid bodies: their control, their rotors, and the link to PyBullet."""
