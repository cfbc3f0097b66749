"""Parts of behaviours that drive along a road: the way by lidar, the book of finds, and the notes between robots."""
