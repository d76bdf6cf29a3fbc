"""Modules that only hold the settings of a function of `nn.functional`: activations, losses, dropout, pads."""

import inspect

from . import functional as F
from .module import Module

REQUIRED = inspect.Parameter.empty


class FunctionModule(Module):
    """forward(*inputs) = F.<function>(*inputs, **settings).

    A subclass names its function, and its settings with their defaults in the order of PyTorch's constructor:

        class LeakyReLU(FunctionModule):
            function = "leaky_relu"
            settings = dict(negative_slope=0.01, inplace=False)

    A default of REQUIRED has to be given. Each setting becomes an attribute, and is read at every call.
    `shown`: the settings that the repr always shows; `inplace` is shown where it is set.
    """

    function = ""
    settings = {}
    shown = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "settings" in cls.__dict__:
            cls.__signature__ = inspect.Signature(
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
                for name, default in cls.settings.items()
            )

    def __init__(self, *args, **kwargs):
        super().__init__()
        own = next(
            cls for cls in type(self).__mro__ if "settings" in cls.__dict__
        )  # a subclass may have an __init__ of its own
        try:
            given = own.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            setattr(self, name, value)

    def arguments(self):
        """The settings, as the function takes them."""
        own = self.__dict__
        return {name: own[name] for name in self.settings}

    def forward(self, *inputs):
        return getattr(F, self.function)(*inputs, **self.arguments())

    def extra_repr(self):
        shown = [name for name in self.settings if name in self.shown or (name == "inplace" and self.inplace)]
        return ", ".join(f"{name}={getattr(self, name)}" for name in shown)
