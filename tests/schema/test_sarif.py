"""What `planb check --format sarif` and `--format github` print, against the standards' own definitions."""

import json
import re
import subprocess

import pytest
from jsonschema import Draft7Validator, FormatChecker
from test_schema import PLANB, ROOT, wrong

SARIF = json.loads((ROOT / "tests/schema/sarif-2.1.0.schema.json").read_text())
VALIDATOR = Draft7Validator(SARIF, format_checker=FormatChecker())
# A workflow command as GitHub's runner reads it: what it escapes never stands in a property or the text.
COMMAND = re.compile(r"::(error|warning) ((?:[a-zA-Z]+=[^\r\n:,]*)(?:,[a-zA-Z]+=[^\r\n:,]*)*)::([^\r\n]*)")


def said(path, form):
    command = [PLANB, "check", "--format", form, path.relative_to(ROOT)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout


def unescaped(text, more=()):
    for code, character in [*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]:
        text = text.replace(code, character)
    return text


def test_the_schema_is_a_schema():
    Draft7Validator.check_schema(SARIF)
    assert SARIF["$id"].endswith("sarif-schema-2.1.0.json")


@pytest.mark.parametrize("path", wrong(), ids=lambda path: path.stem)
def test_whatever_is_wrong_is_told_as_valid_sarif(path):
    log = json.loads(said(path, "sarif"))
    assert [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(log)] == []
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result["locations"]:
            region = location["physicalLocation"]["region"]
            assert region["endColumn"] >= region["startColumn"] >= 1 and region["startLine"] >= 1


@pytest.mark.parametrize("path", wrong(), ids=lambda path: path.stem)
def test_whatever_is_wrong_is_told_in_github_s_workflow_commands(path):
    found = json.loads(said(path, "json"))["diagnostics"]
    *lines, summary = said(path, "github").splitlines()
    assert not summary.startswith("::")
    assert len(lines) == len(found)
    for line, diagnostic in zip(lines, found):
        level, properties, text = COMMAND.fullmatch(line).groups()
        named = dict(pair.split("=", 1) for pair in properties.split(","))
        assert level == diagnostic["severity"]
        assert unescaped(text).startswith(diagnostic["message"])
        file = unescaped(named["file"], [("%3A", ":"), ("%2C", ",")])
        assert file == diagnostic["file"]
        assert int(named["line"]) == diagnostic["line"] and int(named["col"]) == diagnostic["column"]
        assert int(named["endColumn"]) >= int(named["col"])
