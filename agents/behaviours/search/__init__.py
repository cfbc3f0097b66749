"""The parts of `search_rescue` and its baseline: sensors, map, goals, driving, targets, and notes between teammates."""
