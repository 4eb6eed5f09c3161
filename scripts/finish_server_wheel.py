"""Completes the server's wheel after auditwheel: the licences of all that is inside, and a bill of materials.

Usage: finish_server_wheel.py WHEEL.whl PROGRAMS REPOSITORY

PROGRAMS is the folder of the programs that went into the wheel. Writes licenses/ and sboms/hearwire-server.cdx.json (CycloneDX) beside
the wheel's metadata: for each Debian package of which auditwheel took libraries, its version, its licences and their file. Fails where
it cannot say where a library is from. auditwheel's own bill, which leaves out what it cannot find, makes way.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

from auditwheel.wheeltools import InWheel

DOC = pathlib.Path("/usr/share/doc")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed_libraries(programs: pathlib.Path) -> dict[str, pathlib.Path]:
    """The files of all libraries that the programs need, by what auditwheel puts into their names: a hash of the original."""
    lines = [line for program in sorted(programs.iterdir()) for line in output("ldd", str(program)).splitlines()]
    paths = {match[1] for line in lines if (match := re.search(r"=> (/\S+)", line))}
    return {hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:8]: pathlib.Path(path) for path in paths}


def package_of(library: pathlib.Path) -> tuple[str, str]:
    """The Debian package, and its version. dpkg knows a file by the path that the package has, which may begin with /lib."""
    names = [library, library.resolve()]
    names += [pathlib.Path("/", name.relative_to("/usr")) for name in names if name.is_relative_to("/usr")]
    for name in names:
        found = subprocess.run(["dpkg-query", "--search", str(name)], capture_output=True, text=True)
        if found.returncode == 0:
            package = found.stdout.split(": ")[0]
            return package.split(":")[0], output("dpkg-query", "-W", "-f", "${Version}", package)
    raise SystemExit(f"{library} belongs to no Debian package: what its licence is, nobody knows")


def licence_names(text: str) -> list[str]:
    """Of a copyright file in Debian's machine-readable form; of another, none."""
    if not text.startswith("Format:"):
        return []
    return sorted(set(re.findall(r"^License: *(\S[^\n]*?) *$", text, re.MULTILINE)))


def finish(wheel: pathlib.Path, programs: pathlib.Path, repository: pathlib.Path) -> int:
    """Rewrites the wheel. Returns from how many packages there are libraries in it."""
    originals = needed_libraries(programs)
    components: dict[str, dict] = {}
    with InWheel(wheel, wheel) as folder:
        [info] = pathlib.Path(folder).glob("*.dist-info")
        shutil.rmtree(info / "sboms", ignore_errors=True)
        (info / "sboms").mkdir()
        (info / "licenses").mkdir(exist_ok=True)
        for name in ("LICENSE", "NOTICE"):
            shutil.copyfile(repository / name, info / "licenses" / name)
        for grafted in sorted(pathlib.Path(folder, "hearwire_server.libs").iterdir()):
            key = next((word for word in re.findall(r"-([0-9a-f]{8})\.", grafted.name) if word in originals), None)
            if key is None:
                raise SystemExit(f"{grafted.name}: none of the libraries that the programs need")
            package, version = package_of(originals[key])
            if package not in components:
                text = (DOC / package / "copyright").read_text(encoding="utf-8", errors="replace")
                file = f"licenses/{package}.txt"
                (info / file).write_text(text, encoding="utf-8")
                purl = f"pkg:deb/debian/{urllib.parse.quote(package)}@{urllib.parse.quote(version)}"
                components[package] = {
                    "type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl,
                    "licenses": [{"license": {"name": name}} for name in licence_names(text) or [f"see {file}"]],
                    "properties": [{"name": "hearwire:licence-file", "value": file}],
                }  # fmt: skip
            components[package]["properties"].append({"name": "hearwire:library", "value": grafted.name})
        name, version = wheel.name.split("-")[:2]
        this = f"pkg:pypi/{name.replace('_', '-')}@{version}"
        bill = {
            "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"component": {"type": "application", "bom-ref": this, "name": name, "version": version,
                                       "purl": this, "licenses": [{"license": {"id": "MIT"}}]}},
            "components": list(components.values()),
            "dependencies": [{"ref": this, "dependsOn": [component["bom-ref"] for component in components.values()]}],
        }  # fmt: skip
        (info / "sboms/hearwire-server.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    return len(components)


if __name__ == "__main__":
    count = finish(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:4]))
    print(f"libraries of {count} Debian packages, each with its licences")
