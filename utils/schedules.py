"""Learning-rate schedules for Plan.schedule: functions of the steps done and the steps in all, that give the factor on the rate."""

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]  # (steps done, steps in all) -> the factor on the learning rate of the next step


def one_cycle(step: int, steps: int) -> float:
    """Up in the first quarter, down to 0 in the rest, each in a straight line (after Smith & Topin 2017)."""
    return min((step + 1) / (0.25 * steps), (steps - step) / (0.75 * steps))


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda step, steps: 1.0,
    "linear": lambda step, steps: 1 - step / steps,
    "cosine": lambda step, steps: 0.5 * (1 + math.cos(math.pi * step / steps)),
    "one_cycle": one_cycle,
}


def warm_up_and_cosine(part: int, least: float = 0.0) -> Schedule:
    """Up in a straight line for one `part`-th of the steps, then a half cosine down to `least` of the rate."""

    def schedule(step: int, steps: int) -> float:
        warm_up = steps // part
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        return least + (1 - least) * SCHEDULES["cosine"](step - warm_up, steps - warm_up)

    return schedule
