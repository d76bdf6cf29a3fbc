"""What no shape of a weight tells about the workloads: shared by workloads.py and the peers' files, which import no torch."""

HEADS = 4  # of attention
LR = 0.01  # of the plain SGD in every training step
