"""Step 26 · Pictures of graphs, second part: from a variable.

New: `dot_graph(output)`, which walks from a variable back through creators and inputs, and writes a line for all it meets.
Why: the graph is there already: backward walks the same way. A set of what was met keeps a shared variable from being drawn twice.
In the engine: `Graph` in framework/graph.py walks, places and draws by itself, so that no Graphviz is needed.
"""

import numpy as np
from picture import save
from step24 import goldstein_price
from step25 import arrow, box, digraph, oval

from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph


def dot_graph(output):
    lines, met, waiting = [], [], [output]
    while waiting:
        v = waiting.pop()
        if any(v is other for other in met):
            continue
        met.append(v)
        lines.append(oval(id(v), v.name or ""))
        if v.creator is not None:
            f = v.creator
            lines += [box(id(f), f.name), arrow(id(f), id(v)), *(arrow(id(x), id(f)) for x in f.inputs)]
            met.append(f)  # held, so that its id stays its own
            waiting += f.inputs
    return digraph(*dict.fromkeys(lines))


def count(text):
    """(variables, functions, arrows) of a graph in DOT."""
    return text.count("orange"), text.count("lightblue"), text.count("->")


if __name__ == "__main__":
    x, y = Variable(np.array(1.0), "x"), Variable(np.array(1.0), "y")
    small = x * y + x
    small.name = "z"
    print(dot_graph(small))
    assert count(dot_graph(small)) == count(get_dot_graph(small)) == (4, 2, 6)

    z = goldstein_price(x, y)
    z.name = "z"
    variables, functions, arrows = count(get_dot_graph(z))
    print(f"Goldstein-Price: {variables} variables, {functions} functions, {arrows} arrows")
    assert count(dot_graph(z)) == (variables, functions, arrows) and variables == functions + 2  # + x and y
    save("goldstein_price.png", lambda path: plot_dot_graph(z, to_file=path))
    save("small_graph.png", lambda path: plot_dot_graph(small, to_file=path))
