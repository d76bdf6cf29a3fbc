from dlfs.exercises import Wrong

WRONG = [
    Wrong("the mean of the squares", ".sum(dim=(3, 5)).sqrt()", ".mean(dim=(3, 5)).sqrt()", "not of the mean"),
    Wrong("no root", ".sum(dim=(3, 5)).sqrt()", ".sum(dim=(3, 5))", "the root of the sum"),
    Wrong("0 / 0 in an empty window", "framework.where(y > 0, y, framework.ones_like(y))", "y", "0 / 0"),
    Wrong("the slope of the square is taken", "windows(x) * scale", "2 * windows(x) * scale", "dy/dx = x / y"),
    Wrong("dy is forgotten", "scale = dy /", "scale = 1 /", "times dy"),
    Wrong(
        "x is kept by itself",
        "ctx.save_for_backward(x, y)",
        "ctx.save_for_backward(x.detach(), y.detach())",
        "has no history",
    ),
]
