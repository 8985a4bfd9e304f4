"""The data path: keys to worker processes, mapped documents to the insert queue, batches to the target."""
