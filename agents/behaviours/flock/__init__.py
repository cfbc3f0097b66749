"""The parts of `formation` and its baseline: navigation on the course, the pace of a flock, and its notes."""
