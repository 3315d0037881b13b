"""patterns: which modalities a sample lacks besides those that the data lack. Built as `Class(modalities, *, ...)`."""
