from dlfs.exercises import Wrong

WRONG = [
    Wrong("the mean runs over the batch too", "dim=(2, 3)", "dim=(0, 2, 3)", "over the pixels"),
    Wrong("no sigmoid", "torch.sigmoid(self.fc2(h))", "self.fc2(h)", "sigmoid"),
    Wrong("softmax: the channels compete", "torch.sigmoid(self.fc2(h))", "torch.softmax(self.fc2(h), dim=1)", "sigmoid of each channel"),
    Wrong("no ReLU between the two", "F.relu(self.fc1(z))", "self.fc1(z)", "relu"),
    Wrong("the gate is added", "u * gate", "u + gate", "product"),
    Wrong("the default reduction is another", "reduction=16", "reduction=4", "reduction of 16"),
    Wrong("device and dtype for the first alone", "channels, kernel_size=1, device=device, dtype=dtype", "channels, kernel_size=1", "parameters on"),
    Wrong("timm's layer, not one's own", "attn_layer=SqueezeExcitation", "attn_layer='se'", "your layer"),
]  # fmt: skip
