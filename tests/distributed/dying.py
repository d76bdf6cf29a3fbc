"""dlfs in a process of torchrun's, of which the second kills itself in its first life, before its tenth step."""

import os
import signal
import sys

from dlfs.cli import main
from framework.trainer import Trainer

step = Trainer._step


def mortal(trainer, group):
    if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and trainer.step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    step(trainer, group)


Trainer._step = mortal
main(sys.argv[1:])
