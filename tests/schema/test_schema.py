"""The policy's JSON Schema against the reference implementation, and against what `planb check` says."""

import json
import pathlib
import subprocess

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANB = pathlib.Path(__import__("os").environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "planb"
# What a schema can see: keys, shapes and spelling. Names and what fits together are for `planb check`.
SHAPE = {"unknown-key", "wrong-shape", "not-yet"}


def schema(*flags):
    text = subprocess.run([PLANB, "schema", *flags], check=True, capture_output=True, text=True).stdout
    return json.loads(text)


VALIDATOR = Draft7Validator(schema())
OF_TESTS = Draft7Validator(schema("--tests"))


def load(path):
    """As YAML 1.2 reads it, in which a date is a text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor(
        "tag:yaml.org,2002:timestamp", lambda constructor, node: constructor.construct_scalar(node)
    )
    return yaml.load(path)


def policies():
    shipped = [path for path in (ROOT / "policies").rglob("*.yaml") if not path.name.endswith(".test.yaml")]
    return sorted(shipped + list((ROOT / "src/policy/tests").glob("*.yaml")))


def wrong():
    return sorted((ROOT / "tests/policies/wrong").glob("*.yaml"))


def test_the_schemas_are_schemas():
    Draft7Validator.check_schema(schema())
    Draft7Validator.check_schema(schema("--tests"))


def test_the_files_in_the_repository_are_what_the_command_prints():
    assert json.loads((ROOT / "policies/planb.schema.json").read_text()) == schema()
    assert json.loads((ROOT / "policies/planb.test.schema.json").read_text()) == schema("--tests")


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.test.yaml")), ids=lambda path: path.name)
def test_a_shipped_test_file_validates(path):
    assert [error.message for error in OF_TESTS.iter_errors(load(path))] == []


@pytest.mark.parametrize("path", policies(), ids=lambda path: path.name)
def test_a_sound_policy_validates(path):
    assert [error.message for error in VALIDATOR.iter_errors(load(path))] == []


def test_what_check_refuses_by_its_shape_the_schema_refuses_too():
    missed = []
    for path in wrong():
        output = subprocess.run([PLANB, "check", "--format", "json", path], capture_output=True, text=True).stdout
        codes = {found["code"] for found in json.loads(output)["diagnostics"]}
        if not codes & SHAPE or codes & {"yaml", "duplicate-key", "too-large", "unreadable"}:
            continue
        try:
            document = load(path)
        except YAMLError:
            continue
        if VALIDATOR.is_valid(document):
            missed.append(f"{path.name}: {sorted(codes)}")
    assert missed == []
