"""Studies: many runs of the ordinary launcher, compared in one report."""
