"""What a name that is not there says: that it is not, and which names are near."""

import difflib


def near(name, names):
    """The public names that look most like this one, at most five."""
    public = {other.lower(): other for other in names if not other.startswith("_")}
    close = difflib.get_close_matches(name.lower(), public, n=5, cutoff=0.6)
    close += [other for other in public if name.lower() in other and other not in close][: 5 - len(close)]
    return [public[other] for other in close]


def message(where, name, names):
    close = near(name, names)
    return f"{where} has no {name!r}: the engine does not have it" + (f"; near: {', '.join(close)}" if close else "")


def refuse_missing(module, where):
    """A module's `__getattr__`: AttributeError for a name that PyTorch's module `where` may have and this one has not."""

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        raise AttributeError(message(where, name, module))

    return __getattr__


class Missing(AttributeError):
    """An AttributeError whose text is made only when it is read: a failing hasattr() costs nothing."""

    def __init__(self, where, name, names):
        super().__init__(where, name, names)
        self.name = name

    def __str__(self):
        return message(*self.args)
