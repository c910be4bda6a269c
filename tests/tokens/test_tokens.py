"""The texts that planb's own counts are held against have the counts that are written beside them, and the table of
characters says what the vocabularies say. `planb` itself is held against them in `src/dialect/estimate`."""

import json
from pathlib import Path

import pytest

import count

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def encodings():
    return count.encodings()


def test_a_thousand_texts_have_these_counts(encodings):
    lines = (ROOT / "tests/data/texts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1_000
    for line in lines:
        row = json.loads(line)
        found = [count.count(encodings[name], row["text"]) for name in ("cl100k", "o200k", "qwen")]
        assert row["tokens"] == found, row["text"]


def test_the_table_of_characters_is_that_of_the_vocabularies(encodings):
    table = (ROOT / "src/dialect/estimate/characters.bin").read_bytes()
    assert table == count.characters(encodings)
