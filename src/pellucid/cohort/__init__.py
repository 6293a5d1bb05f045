"""Who is in the data: BIDS index, volume store, splits, leakage guard, augmentation."""
