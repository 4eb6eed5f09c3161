"""How busy the GPU is while something runs, by nvidia-smi."""

from __future__ import annotations

import shutil
import subprocess
import tempfile


class GpuSampler:
    """Samples four times a second in a with block. Without nvidia-smi it has nothing to say."""

    def __enter__(self) -> GpuSampler:
        self._file = tempfile.TemporaryFile("w+")
        self._process = None
        if shutil.which("nvidia-smi"):
            query = "--query-gpu=utilization.gpu,memory.used,power.draw"
            self._process = subprocess.Popen(
                ["nvidia-smi", query, "--format=csv,noheader,nounits", "-lms", "250"],
                stdin=subprocess.DEVNULL, stdout=self._file, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
        self._file.seek(0)
        self._rows = []
        for line in self._file:
            try:
                percent, mib, watts = (float(field) for field in line.split(","))
            except ValueError:
                continue  # "[N/A]", or a line cut off at the end.
            self._rows.append((percent, mib, watts))
        self._file.close()

    def text(self) -> str:
        """"gpu_percent=… gpu_mib=…": means without the first third, when things start; the memory first and last, too."""
        if not self._rows:
            return "gpu=not_sampled"
        late = self._rows[len(self._rows) // 3 :]
        percent, mib, watts = (sum(column) / len(late) for column in zip(*late))
        return (f"gpu_percent={percent:.0f} gpu_mib={mib:.0f} gpu_mib_early={late[0][1]:.0f} "
                f"gpu_mib_last={late[-1][1]:.0f} watts={watts:.0f}")  # fmt: skip
