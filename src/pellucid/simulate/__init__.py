"""A cohort whose truth is known, as BIDS."""
