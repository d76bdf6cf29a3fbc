from dlfs.exercises import Wrong

HOOK = "last_norm.register_forward_hook(self.leave_out)"

WRONG = [
    Wrong("one draw for the whole batch", "len(branch), 1, 1, 1", "1, 1, 1, 1", "own draw"),
    Wrong("dropout: a draw for each element", "len(branch), 1, 1, 1", "branch.shape", "whole"),
    Wrong("the survivors are not scaled", " * kept / survival", " * kept", "1 / survival"),
    Wrong("the probability of being dropped", "bernoulli_(survival)", "bernoulli_(1 - survival)", "survives"),
    Wrong("in evaluation too", "not training or survival == 1", "survival == 1", "evaluation"),
    Wrong("blocks counted from 0", "range(1, num_blocks + 1)", "range(num_blocks)", "counts from 1"),
    Wrong("the shortcut is dropped with the branch", HOOK, "self.register_forward_hook(self.leave_out)", "shortcut"),
    Wrong(
        "the first BatchNorm instead of the last",
        HOOK,
        "self.bn1.register_forward_hook(self.leave_out)",
        "only the branch",
    ),
]
