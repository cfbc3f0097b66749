"""Batteries of robots: what motion takes from them, and what chargers give."""
