#!/usr/bin/env python3
"""Makes HEAR's tools of 2021 run with today's PyTorch. Run by the Python of the environment that they are installed in.

Nothing here touches what they compute: a stand-in for tensorflow, a sample rate that the released validator lacks, one
attribute that PyTorch Lightning renamed, and a default of torch.load.
"""

from __future__ import annotations

import pathlib
import sysconfig

SITE = pathlib.Path(sysconfig.get_path("purelib"))

# Both tools ask whether a model is a tf.Module; with a GPU, heareval asks whether tensorflow sees it too.
TENSORFLOW = '''"""Stand-in: HEAR's tools only ask whether a model is a tf.Module."""


class Module:
    pass


class test:
    @staticmethod
    def is_gpu_available(*args, **kwargs):
        return True
'''

EDITS = [
    # The release lacks 32000 Hz, and then fails on its own error message.
    (
        "hearvalidator/validate.py",
        "ACCEPTABLE_SAMPLE_RATE = [16000, 22050, 44100, 48000]",
        "ACCEPTABLE_SAMPLE_RATE = [16000, 22050, 32000, 44100, 48000]",
    ),
    # No property since Lightning 1.6: the assignment had no effect, and event tasks looked up an epoch that never ran.
    (
        "heareval/predictions/task_predictions.py",
        "trainer.fit_loop.current_epoch = grid_point.epoch",
        "trainer.fit_loop.epoch_progress.current.completed = grid_point.epoch",
    ),
]

# torch 2.6 and later refuse the classes that heareval's checkpoints hold; each is read by the run that has written it.
TORCH_LOAD = 'import os; os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")\n'


def main() -> None:
    (SITE / "tensorflow").mkdir(exist_ok=True)
    (SITE / "tensorflow/__init__.py").write_text(TENSORFLOW)
    (SITE / "hear_tools_torch_load.pth").write_text(TORCH_LOAD)
    for name, old, new in EDITS:
        path = SITE / name
        text = path.read_text()
        if new not in text:
            assert text.count(old) == 1, f"{path} is not the version that was tried: {old}"
            path.write_text(text.replace(old, new))


if __name__ == "__main__":
    main()
