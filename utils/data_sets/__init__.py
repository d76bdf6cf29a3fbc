"""The data sets by kind: a module of this folder holds functions under @dataset, which utils.data_loaders.load finds."""
