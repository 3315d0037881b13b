"""sources: one file per raw data set or raw format; each reads what its owners publish, and never needs torch."""
