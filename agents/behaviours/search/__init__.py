"""The parts of `search_rescue`: map, goals, driving, targets, and what the team tells each other."""
