"""Counts tokens with the vocabularies that providers use: OpenAI's cl100k and o200k, and Qwen's.

The vocabularies come out of pinned packages that bundle them; nothing else of those packages is imported.
"""

import base64
import sysconfig
from pathlib import Path

import tiktoken

SITE = Path(sysconfig.get_paths()["purelib"])
OPENAI = SITE / "llama_index/core/_static/tiktoken_cache"
LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CASED = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + SHORT + "?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + SHORT + "?",
])
FILES = {
    "cl100k": (OPENAI / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", f"{SHORT}|{LETTERS}|" + r"\p{N}{1,3}|" + REST),
    "o200k": (
        OPENAI / "fb374d419588a4632f3f557e76b4b70aebbca790",
        CASED + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
    "qwen": (SITE / "dashscope/resources/qwen.tiktoken", f"{SHORT}|{LETTERS}|" + r"\p{N}|" + REST),
}


def encodings():
    def one(name):
        path, pattern = FILES[name]
        lines = (line.split() for line in path.read_bytes().splitlines() if line)
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    return {name: one(name) for name in FILES}


def count(encoding, text):
    return len(encoding.encode_ordinary(text))


def characters(encodings):
    """What each character beyond ASCII costs where it is dearest: two bits for each of the first plane (0 to 3), then
    two bits for each of U+1F000 to U+1FFFF (less one)."""

    def cost(code):
        surrogate = 0xD800 <= code <= 0xDFFF
        return 3 if surrogate else max(count(one, chr(code)) for one in encodings.values())

    def pack(costs):
        quads = zip(*[iter(costs)] * 4)
        return bytes(a | b << 2 | c << 4 | d << 6 for a, b, c, d in quads)

    first = [0 if code < 0x80 else min(cost(code), 3) for code in range(0x10000)]
    pictures = [min(cost(code), 4) - 1 for code in range(0x1F000, 0x20000)]
    return pack(first) + pack(pictures)
