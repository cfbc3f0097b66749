"""The parts of `search_rescue`: sensors, map, goals, steering, targets, and the notes between teammates."""
