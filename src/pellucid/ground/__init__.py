"""What every floor stands on: errors, files, processes, memory, words. It knows nothing of MRI."""
