from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "β is forgotten in the threshold",
        "return int((variances > beta * noise).sum())",
        "return int((variances > noise).sum())",
        "λ > β · noise",
    ),
    Wrong(
        "the noise's deviation",
        "return int((variances > beta * noise).sum())",
        "return int((variances > beta * noise**2).sum())",
        "λ > β · noise",
    ),
    Wrong(
        "w is the eigenvalue's root, as in PCA",
        "np.sqrt(np.maximum(variances - beta * noise, 0))",
        "np.sqrt(variances)",
        "w² = λ - β noise",
    ),
    Wrong(
        "a silent latent without a variance",
        "beta * noise / safe, 1.0)",
        "beta * noise / safe, 1e-6)",
        "the prior, with variance 1",
    ),
    Wrong("the encoder is the decoder", "v = np.where(active, w / safe, 0.0)", "v = w", "v = w / λ"),
    Wrong(
        "β is forgotten in the code's variance",
        "np.where(active, beta * noise / safe, 1.0)",
        "np.where(active, noise / safe, 1.0)",
        "s² = β noise / λ",
    ),
    Wrong("the code's noise is forgotten", " + (w * w * s2).sum()", "", "the term Σ w² s²"),
    Wrong("no normaliser", " - 0.5 * D * math.log(2 * math.pi * noise)", "", "D/2 log(2π noise)"),
]
