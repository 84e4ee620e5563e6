"""Local Attribution Maps: the detector's change, followed along a path and given to LR pixels."""
