"""Stochastic depth for torchvision's ResNet: while training, whole residual branches are left out at random."""

from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def survival_rates(num_blocks, last):
    """The probability that each block survives: p_l = 1 - l/L (1 - p_L) for l = 1 … L, of which the last is p_L."""
    return [1 - i / num_blocks * (1 - last) for i in range(1, num_blocks + 1)]


def drop_path(branch, survival, training):  # (B, C, H, W)
    """While training, the branch over its survival rate with that probability, drawn for each example, else zeros; (B, C, H, W)."""
    if not training or survival == 1:
        return branch
    kept = branch.new_empty(len(branch), 1, 1, 1).bernoulli_(survival)  # (B, 1, 1, 1)
    return branch * kept / survival


class StochasticDepth:
    """What a block of torchvision's needs on top; it stands before the block among a class's bases."""

    survival = 1.0

    def __init__(self, *arguments, **options):
        """Make the block, and have `leave_out` called on what the last layer of its branch returns."""
        super().__init__(*arguments, **options)
        last_norm = self.bn3 if hasattr(self, "bn3") else self.bn2
        last_norm.register_forward_hook(self.leave_out)

    def leave_out(self, module, inputs, branch):
        """A forward hook: what it returns takes the place of the module's output."""
        return drop_path(branch, self.survival, self.training)


class StochasticBasicBlock(StochasticDepth, BasicBlock):
    """torchvision's BasicBlock whose branch may be left out."""


class StochasticBottleneck(StochasticDepth, Bottleneck):
    """torchvision's Bottleneck whose branch may be left out."""


def stochastic_resnet(block, layers, last=0.8, **options):
    """torchvision's ResNet of such blocks, each with its survival rate, in the order in which they run."""
    model = ResNet(block, layers, **options)
    blocks = [module for module in model.modules() if isinstance(module, StochasticDepth)]
    for module, survival in zip(blocks, survival_rates(len(blocks), last)):
        module.survival = survival
    return model
