"""What the models share: data sets, the training loop, pictures."""
