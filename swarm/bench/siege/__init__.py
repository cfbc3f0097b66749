"""`swarm bench siege`: attacks on a real agent, and what its own stream and an honest peer have left."""
