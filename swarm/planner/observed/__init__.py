"""What the planner learns of its team by observation: links, and load that the plan does not explain."""
