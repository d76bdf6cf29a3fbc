from dlfs.exercises import Wrong

WAVES = "PE[:, 0::2], PE[:, 1::2] = np.sin(angles), np.cos(angles)"

WRONG = [
    Wrong(
        "all sines before all cosines, as the released code has them",
        WAVES,
        "PE[:, : d // 2], PE[:, d // 2 :] = np.sin(angles), np.cos(angles)",
        "by turns",
    ),
    Wrong(
        "cosine first", WAVES, "PE[:, 1::2], PE[:, 0::2] = np.sin(angles), np.cos(angles)", "sine and cosine by turns"
    ),
    Wrong("places from 1", "np.arange(T)[:, None]", "np.arange(1, T + 1)[:, None]", "first place is 0"),
    Wrong(
        "a frequency for each channel",
        "np.arange(T)[:, None] * frequencies(d)",
        "np.arange(T)[:, None] * 10000.0 ** (-np.arange(d // 2) / d)",
        "both of a pair have one ω",
    ),
    Wrong("the other way round", "= -sin, cos  #", "= sin, cos  #", "[−sin kω, cos kω]"),
    Wrong(
        "the matrix for (cos, sin)",
        "M[even, even], M[even, odd] = cos, sin",
        "M[even, even], M[even, odd] = cos, -sin",
        "[[cos kω, sin kω]",
    ),
    Wrong(
        "a mean over the pairs", "np.cos(k * frequencies(d)).sum()", "np.cos(k * frequencies(d)).mean()", "not a mean"
    ),
    Wrong(
        "both of a pair are counted",
        "np.cos(k * frequencies(d)).sum()",
        "2 * np.cos(k * frequencies(d)).sum()",
        "once for each",
    ),
]
