"""One input and one network to one relevance map: methods, LRP rules, the ledger."""
