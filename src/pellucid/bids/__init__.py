"""Everything that knows BIDS: names, participants.tsv, clinical columns, which mask belongs to which scan."""
