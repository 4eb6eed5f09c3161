"""Uses the Debian packages that scripts/packages has installed in a root folder, then purges them.

Usage: try_packages.py ROOT, as root, in a network of its own with a loopback device.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

from service import NOBODY, Service, Unit

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ROOT = pathlib.Path(sys.argv[1])
STATE = ROOT / "var/lib/private/hearwire"
ENABLED = ROOT / "etc/systemd/system/multi-user.target.wants/hearwire.service"


def run(*command: str, code: int = 0) -> str:
    """In the root; returns both outputs."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["chroot", str(ROOT), *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert done.returncode == code, f"{' '.join(command)}: {done.returncode} instead of {code}\n{done.stdout}"
    return done.stdout


def ours() -> list[str]:
    return [name for name in run("dpkg-query", "-W", "-f", "${Package}\n").split() if "hearwire" in name]


def check_contents(packages: list[str]) -> None:
    assert {"hearwire", "hearwire-server"} <= set(packages), packages
    for package in packages:
        assert "MIT License" in (ROOT / "usr/share/doc" / package / "copyright").read_text(), package
    for program in ("hearwire", "hearwire-load", "hearwire-server"):
        assert run(program, "--version").startswith(program)
    assert os.readlink(ENABLED).endswith("/lib/systemd/system/hearwire.service")


def check_service(unit: Unit, with_client: bool) -> None:
    # As systemd makes it for a DynamicUser.
    STATE.mkdir(parents=True)
    (ROOT / "var/lib/hearwire").symlink_to("private/hearwire")
    with Service(ROOT, unit) as service:
        ready = service.told()
        assert ready == {"READY": "1", "STATUS": "serving on 127.0.0.1:8001, metrics on 127.0.0.1:8002"}, ready
        assert run("hearwire", "health") == "SERVING\n"
        assert run("hearwire", "tag", "/siren.wav", "--format", "csv").count("\n") > 2
        assert "p99" in run("hearwire-load", "--duration=1s", "--warm-up=0s")
        if with_client:
            check_client()
        service.reload()
        assert service.told()["RELOADING"] == "1"
        assert service.told() == ready
        assert service.stop() == 0
        assert service.told()["STOPPING"] == "1"
    with Service(ROOT, unit, HEARWIRE_WORKERS="many") as service:
        code, words = service.end()
        assert code == 1 and "HEARWIRE_WORKERS: \"many\"" in words, words


def check_client() -> None:
    """Builds the README's example with the client's package, and asks the server with it."""
    example = re.search(r"```cpp\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    (ROOT / "example.cc").write_text(example)
    run("sh", "-c", "g++ -std=c++20 /example.cc -o /example $(pkg-config --cflags --libs hearwire)")
    shutil.copyfile(ROOT / "siren.wav", ROOT / "dog.wav")
    numbers = run("/example").split()
    assert len(numbers) > 100 and all(float(number) == float(number) for number in numbers)


def check_purge(packages: list[str]) -> None:
    (STATE / "mine.safetensors").write_text("an administrator's")
    (ROOT / "etc/hearwire").mkdir()
    run("dpkg", "--remove", *packages)
    assert STATE.is_dir() and not (ROOT / "usr/bin/hearwire-server").exists()
    said = run("dpkg", "--purge", *packages)
    assert "/var/lib/private/hearwire is left" in said and (STATE / "mine.safetensors").is_file(), said
    left = [path for path in run("find", "/", "-xdev", "-name", "*hearwire*").split() if not path.startswith("/packages/")]
    assert sorted(left) == ["/var/lib/hearwire", "/var/lib/private/hearwire"], left
    assert ours() == []


def main() -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "scripts/make_siren.py"), str(ROOT / "siren.wav")], check=True)
    packages = ours()
    check_contents(packages)
    check_service(Unit(ROOT / "usr/lib/systemd/system/hearwire.service"), "libhearwire-client-dev" in packages)
    check_purge(packages)
    print(f"{', '.join(packages)}: installed, used as user {NOBODY}, and purged")


if __name__ == "__main__":
    main()
