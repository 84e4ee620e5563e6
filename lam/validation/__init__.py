"""Whether a map can be trusted: faithfulness, weight randomisation."""
