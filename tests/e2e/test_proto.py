"""The contract's file: buf's rules, what was released, a word on everything, and the same names wherever they are met."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from hearwire_server import BIN, REPOSITORY

BUF = pathlib.Path(sys.executable).with_name("buf")  # Of the package buf-bin.
OURS = "hearwire/v1/embedding.proto"
ADMIN = "hearwire/admin/v1/admin.proto"


def buf(*arguments: object) -> subprocess.CompletedProcess[str]:
    assert BUF.exists(), f"{BUF} is missing: scripts/test installs it (scripts/test-requirements.txt)"
    return subprocess.run([BUF, *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def changed(tmp_path):
    """A copy of the protos, to be spoilt."""
    shutil.copytree(REPOSITORY / "proto", tmp_path / "proto")
    shutil.copytree(REPOSITORY / "tests/proto/last_release", tmp_path / "last_release")

    def replace(old: str, new: str) -> pathlib.Path:
        file = tmp_path / "proto" / OURS
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        return tmp_path

    return replace


def test_bufs_standard_rules(changed):
    linted = buf("lint", REPOSITORY / "proto")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    spoilt = buf("lint", changed("ENCODING_LINEAR16", "LINEAR16") / "proto")
    assert "should be prefixed" in spoilt.stdout


def test_nothing_breaks_what_was_released(changed):
    compared = buf("breaking", REPOSITORY / "proto", "--against", REPOSITORY / "tests/proto/last_release")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    folder = changed("bool loaded_only = 1", "bool loaded_only = 2")
    spoilt = buf("breaking", folder / "proto", "--against", folder / "last_release")
    assert 'field "1" with name "loaded_only"' in spoilt.stdout, spoilt.stdout + spoilt.stderr


def test_the_wire_is_that_of_the_first_version(tmp_path):
    """Names may change before the contract is public, such as those of enum values; numbers and types may not."""
    shutil.copytree(REPOSITORY / "tests/proto/0.1.0", tmp_path / "first")
    (tmp_path / "first/buf.yaml").write_text("version: v2\n")
    rules = '{"version": "v2", "breaking": {"use": ["WIRE"]}}'
    against = ("--against", tmp_path / "first")
    compared = buf("breaking", REPOSITORY / "proto", *against, "--config", rules)
    assert compared.returncode == 0, compared.stdout + compared.stderr


def described(folder: pathlib.Path, proto: str = OURS) -> descriptor_pb2.FileDescriptorProto:
    target = folder / "proto.desc"
    arguments = ["protoc", f"-I{folder / 'proto'}", "--include_source_info", f"--descriptor_set_out={target}", proto]
    assert protoc.main(arguments) == 0
    [file] = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def without_comment(file: descriptor_pb2.FileDescriptorProto) -> list[str]:
    said = {tuple(at.path) for at in file.source_code_info.location if at.leading_comments or at.trailing_comments}
    missing = []

    def look(one: object, path: tuple[int, ...], name: str) -> None:
        if path not in said:
            missing.append(name)
        for field, value in one.ListFields():
            # Messages, enums, services and what is in them; options and types are not of them.
            if field.name in ("field", "nested_type", "enum_type", "value", "method", "oneof_decl"):
                for index, part in enumerate(value):
                    look(part, (*path, field.number, index), f"{name}.{part.name}")

    for number, parts in ((4, file.message_type), (5, file.enum_type), (6, file.service)):
        for index, part in enumerate(parts):
            look(part, (number, index), part.name)
    return missing


def test_everything_has_a_comment(changed, tmp_path):
    assert without_comment(described(changed("", ""))) == []
    assert without_comment(described(tmp_path, ADMIN)) == []
    spoilt = described(changed("// Of this call.\n", "\n"))
    assert without_comment(spoilt) == ["GetSceneEmbeddingsResponse.timings"]


def test_every_language_has_its_options(changed, tmp_path):
    options = described(changed("", "")).options
    assert options.go_package == "hearwire/v1;hearwirev1"
    assert (options.java_package, options.java_multiple_files) == ("hearwire.v1", True)
    assert options.csharp_namespace == "Hearwire.V1"
    admin = described(tmp_path, ADMIN).options
    assert admin.go_package == "hearwire/admin/v1;hearwireadminv1"
    assert (admin.java_package, admin.java_multiple_files) == ("hearwire.admin.v1", True)
    assert admin.csharp_namespace == "Hearwire.Admin.V1"


def field_names(file: descriptor_pb2.FileDescriptorProto, message: str) -> set[str]:
    [found] = [one for one in file.message_type if one.name == message]
    return {field.name for field in found.field}


# Those of Python's replies whose message has another name.
MESSAGES = {"ClipTimestampEmbeddings": "TimestampEmbeddings", "ConfigInfo": "Config", "HeadInfo": "Head",
            "ReloadChanges": "ReloadResponse", "ServerLimits": "Limits"}
# What a reply has beside its message: from the metadata, and of the client's own doing.
BESIDE = {"request_id", "resumes"}
# Answered under a name of their own, for they are no message of that name: of a request, of seconds, of a mapping.
OTHER = {"Timings", "TimestampEmbeddings", "Tags", "Classifications", "HeadRows"}


def test_python_has_the_protos_names(changed, tmp_path):
    file = described(changed("", ""))
    file.MergeFrom(described(tmp_path, ADMIN))
    source = REPOSITORY / "client/python/src/hearwire/replies.py"
    module = sys.modules["replies"] = type(sys)("replies")
    exec(compile(source.read_text(), source, "exec"), module.__dict__)
    known = {one.name for one in file.message_type}
    checked = 0
    for name, kind in vars(module).items():
        if not dataclasses.is_dataclass(kind) or name in OTHER:
            continue
        message = MESSAGES.get(name, name if name in known else f"Get{name}Response")
        fields = {field.name for field in dataclasses.fields(kind)} - BESIDE
        assert fields <= field_names(file, message), f"{name} has fields that {message} has not"
        checked += 1
    assert checked >= 12
    del sys.modules["replies"]


def test_the_command_has_the_protos_names(server, changed):
    file = described(changed("", ""))
    command = [BIN / "hearwire", "configs", "--loaded", "--format", "json", "--server", server.address]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert set(answer) == field_names(file, "ListConfigsResponse")
    assert set(answer["configs"][0]) == field_names(file, "Config")
    assert set(answer["configs"][0]["space"]) == field_names(file, "EmbeddingSpace")
    assert set(answer["limits"]) == field_names(file, "Limits")
