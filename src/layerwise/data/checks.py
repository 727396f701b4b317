from layerwise.data.dataset import Dataset, Notice
def check_splits(dataset: Dataset) -> tuple[Notice, ...]: return ()
def check_table(dataset: Dataset) -> tuple[Notice, ...]: return ()
