"""The network (Fig. 3): patches, matches, attention, blocks, decoder."""
