"""Attribution maps: accuracy, cost and spread."""
