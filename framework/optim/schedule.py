"""What all learning-rate schedules share: the base class, and the checks of their arguments."""

import warnings

from .optimizer import Optimizer


def _check_optimizer(name, optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: optimizer must be an Optimizer, got {type(optimizer).__name__}")


def _per_group(name, option, value, optimizer):
    """A value per parameter group, from one value or a list of them."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name}: {option} has {len(value)} values for {count} parameter groups")
    return list(value)


def _set_momentum(group, value, use_beta1):
    """Give a group this momentum, or first beta."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class LRScheduler:
    """Base class: a subclass defines `get_lr()`, the rates for `self.last_epoch`, and may define `_get_closed_form_lr()`.

    last_epoch: -1 to begin; the number of the last epoch to resume, where every group must hold "initial_lr".
    """

    _is_initial = False  # True during the step that the constructor makes

    def __init__(self, optimizer, last_epoch=-1):
        _check_optimizer(type(self).__name__, optimizer)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: last_epoch={last_epoch} resumes a schedule, but parameter group {number} has no "
                    "'initial_lr'; load the optimizer's state first, or begin with last_epoch=-1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def _lrs(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def get_lr(self):
        """The rate of each group for this epoch, computed within step(); to read the present rates, use get_last_lr()."""
        raise NotImplementedError(f"{type(self).__name__}: define get_lr()")

    def get_last_lr(self):
        """The rate of each parameter group that the last step set."""
        return self._last_lr

    def step(self, epoch=None):
        """Go to the next epoch, or to the given one, and set the rates."""
        if self._step_count == 1 and type(self.optimizer).step is Optimizer.step and not self.optimizer._opt_called:
            warnings.warn(
                f"{type(self).__name__}.step() was called before optimizer.step(): the schedule's first rate is skipped; "
                "call optimizer.step() first",
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._set(closed_form() if closed_form else self.get_lr())

    def _set(self, lrs):
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = self._lrs()

    def state_dict(self):
        """Everything but the optimizer, as a dict of plain values."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned; ValueError where it is another scheduler's."""
        self._check_state(state_dict)
        self.__dict__.update(state_dict)

    def _check_state(self, state_dict):
        missing = sorted(self.state_dict().keys() - state_dict.keys())
        if missing:
            raise ValueError(
                f"{type(self).__name__}: the saved state lacks {', '.join(missing)}; is it another scheduler's?"
            )
