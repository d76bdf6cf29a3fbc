from dlfs.exercises import Wrong

WRONG = [
    Wrong("the other side of the coin", "return (u < p).to(p.dtype)", "return (u > p).to(p.dtype)", "1 where u < p"),
    Wrong("bools", "return (u < p).to(p.dtype)", "return u < p", "z has p's dtype"),
    Wrong("a gradient of zero, which is the true one", "return dz, None", "return 0 * dz, None", "as it comes"),
    Wrong("the slope of a sigmoid is put in", "return dz, None", "return 0.25 * dz, None", "as it comes"),
    Wrong("the score of heads for tails, too", "score = (z - p) / (p * (1 - p))", "score = z / p", "for tails"),
    Wrong("not divided by the variance", "score = (z - p) / (p * (1 - p))", "score = z - p", "1/p for heads"),
    Wrong("a sum over samples", "* score).mean(axis=0)", "* score).sum(axis=0)", "the mean over samples"),
    Wrong("the baseline is forgotten", "((f(z) - baseline) * score)", "(f(z) * score)", "fall to less than half"),
]
