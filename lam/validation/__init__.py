"""Whether a map can be trusted: completeness, faithfulness, weight randomisation."""
