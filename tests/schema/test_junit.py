"""`planb test --junit` as build servers' own tools read it."""

import os
import pathlib
import subprocess

from junitparser import Failure, JUnitXml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANB = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "planb"
POLICY = """
providers: {home: {vendor: llama.cpp}}
models: {own: {provider: home, supply: local, quality: 40}}
routes: [{name: chat, try: [own]}]
"""
TESTS = """
request: chat
tests:
  - {name: 'passes <&> "quoted" 你好', expect: {model: own}}
  - {name: fails, expect: {model: none, refused: 402}}
  - name: over time
    steps:
      - {expect: {model: own}}
      - {name: "second \\a ]]>", after: 1m, expect: {plans: [], route: chat, model: none}}
"""


def test_results_are_read_with_their_failures(tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "p.test.yaml").write_text(TESTS)
    report = tmp_path / "report.xml"
    done = subprocess.run([PLANB, "test", tmp_path / "p.yaml", "--junit", report], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    found = JUnitXml.fromfile(str(report))
    suite = next(iter(found))
    suite_counts = (suite.tests, suite.failures)
    assert suite_counts == (3, 2)
    cases = {case.name: case for case in suite}
    assert cases['passes <&> "quoted" 你好'].is_passed
    [failure] = cases["fails"].result
    assert isinstance(failure, Failure)
    assert "model: expected none, and it is own" in failure.message
    assert "route chat" in failure.text
    assert not cases["over time"].is_passed
    # What a tool counts anew is what the file says.
    found.update_statistics()
    assert (found.tests, found.failures, suite.tests, suite.failures) == (3, 2, 3, 2)
