"""What Global Pixel Access does: interventions, their effects, statistics of matches, reach."""
