"""The example in docs/api.md, which needs the proto alone, runs as it stands, but for the port."""

import re
import subprocess
import sys

from grpc_tools import protoc

from hearwire_server import REPOSITORY, chirp
from test_command_line import write_wav


def test_python_example(server, tmp_path):
    [example] = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/api.md").read_text(), re.DOTALL)
    write_wav(tmp_path / "dog.wav", chirp(1.0))
    (tmp_path / "example.py").write_text(example.replace("127.0.0.1:8001", server.address))
    command = ["protoc", f"-I{REPOSITORY}/proto", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    assert protoc.main([*command, "hearwire/v1/embedding.proto"]) == 0
    ended = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "hearwire_mn01_all_b_mel_avgs (1, 184)\n"
