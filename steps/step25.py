"""Step 25 · Pictures of graphs, first part: the language.

New: DOT, a language in which a graph is a list of boxes and a list of arrows. The program `dot` (Graphviz) places them.
Why: a graph of ten operations is hard to imagine and easy to see. And a picture shows at once what was recorded that should not be.
In the engine: `Graph.dot` in framework/graph.py; `Graph.mermaid` writes a language that web pages draw.
"""


def oval(number, text):
    return f'  {number} [label="{text}", color=orange, style=filled]'


def box(number, text):
    return f'  {number} [label="{text}", color=lightblue, style=filled, shape=box]'


def arrow(start, end):
    return f"  {start} -> {end}"


def digraph(*lines):
    return "\n".join(["digraph g {", *lines, "}"])


if __name__ == "__main__":
    # Variables are ovals, functions boxes: y = exp(x²)
    text = digraph(
        oval(1, "x"),
        box(2, "Square"),
        oval(3, "a"),
        box(4, "Exp"),
        oval(5, "y"),
        *(arrow(i, i + 1) for i in range(1, 5)),
    )
    print(text)
    print("\nPut that into graph.dot, and `dot -Tpng graph.dot -o graph.png` draws it.")
    assert text.count("label=") == 5 and text.count("->") == 4
