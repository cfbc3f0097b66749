"""The plans of a run on its page: what moved and why, on maps and in tables, and what became of their forecasts."""
