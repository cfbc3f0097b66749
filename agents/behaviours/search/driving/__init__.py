"""Driving along a path without collisions: the robot's limits, the arcs that it can drive next, and recoveries."""
