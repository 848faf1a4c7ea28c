"""Odd inputs: sound ones with a few changes, as damage and malice make them."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

#: What is put into files: signs that part fields, odd numbers, and odd text.
TOKENS = [
    *(
        b"",
        b"\n",
        b"\r",
        b"\r\n",
        b",",
        b" ",
        b"\t",
        b'"',
        b"'",
        b"-",
        b".",
        b"_",
        b"0",
    ),
    *(b"nan", b"inf", b"-1", b"1e400", b"1e-400", b"9" * 5000, b"1_0", b"0x1F", b"1.5"),
    *(
        b"\x00",
        b"\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        "é²１\u2028".encode(),
        b"\xed\xa0\x80",
    ),
    *(b"../", b"/etc/passwd", b"a/b.jpg", b"0001.jpg", b"{", b"}", b"[", b"[" * 2000),
    *(
        b"<",
        b"</a>",
        b"&a;",
        b"<!--",
        b"null",
        b"true",
        b"&a",
        b"*a",
        b"!!",
        b": ",
        b"- ",
    ),
    *(
        b"PK\x03\x04",
        b"\x80",
        b"(",
        b")",
        b"\x93NUMPY",
        b"<f8",
        b"|O",
        b"True",
        b"shape",
    ),
]
#: What is put into JSON.
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 7, 255, 2**31, 2**63, 10**400, 0.5, -0.5, 1e308),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "1", "../../x", "/x", "\0"),
    *("a\nb", "é\ud800", "9" * 50, [], [1], [None], ["a"], [[[]]], [1, 2, 3, 4], {}),
    *({"a": 1}, {"": None}, [{}], [1e400] * 4, [3, 2, 1, 0], "wsol/", "n01440764"),
]


def changed_bytes(valid: bytes, most: int = 5) -> st.SearchStrategy[bytes]:
    """A file with some of it taken out and tokens put in, or bytes of any kind."""
    edit = st.tuples(
        st.integers(0, len(valid)), st.integers(0, 12), st.sampled_from(TOKENS)
    )

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = valid
        for place, length, token in edits:
            place = min(place, len(data))
            data = data[:place] + token + data[place + length :]
        return data

    def cut(place: int) -> bytes:
        return valid[:place]

    edited = st.lists(edit, min_size=1, max_size=most).map(apply)
    short = st.integers(0, len(valid)).map(cut)
    return st.one_of(edited, edited, edited, short, st.binary(max_size=100))


def changed_lines(valid: str) -> st.SearchStrategy[bytes]:
    """A text file with fields and lines changed, doubled and swapped, or its bytes."""
    lines = valid.splitlines()
    line = st.tuples(
        st.integers(0, len(lines) - 1), st.integers(0, 9), st.sampled_from(TOKENS)
    )

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        rows = [text.encode() for text in lines]
        for number, field, token in edits:
            number = min(number, len(rows) - 1)
            sign = b"," if b"," in rows[number] else b" "
            parts = rows[number].split(sign)
            if field == 9:
                rows.append(rows[number])
            elif field == 8 and len(rows) > 1:
                rows.pop(number)
            else:
                parts[field % len(parts)] = token
                rows[number] = sign.join(parts)
        return b"\n".join(rows)

    edited = st.lists(line, min_size=1, max_size=4).map(apply)
    return st.one_of(edited, edited, changed_bytes(valid.encode()))


def changed_content(valid: Any, values: list[Any] = VALUES) -> st.SearchStrategy[Any]:
    """Nested content with some of its parts replaced or taken out."""
    size = len(list(_places(valid)))
    edit = st.tuples(st.integers(0, size), st.booleans(), st.sampled_from(values))

    def apply(edits: list[tuple[int, bool, Any]]) -> Any:
        content = copy.deepcopy(valid)
        for number, keep, value in edits:
            places = list(_places(content))
            if not places or number == size:
                return copy.deepcopy(value)
            parent, key = places[number % len(places)]
            if keep:
                parent[key] = copy.deepcopy(value)
            else:
                del parent[key]
        return content

    return st.lists(edit, min_size=1, max_size=3).map(apply)


def _places(content: Any) -> Any:
    """Each part of nested content, as the container and the key within."""
    if isinstance(content, (dict, list)):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in list(keys):
            yield content, key
            yield from _places(content[key])


def changed_json(valid: Any) -> st.SearchStrategy[bytes]:
    """A file of JSON with other content, or with other bytes."""
    text = json.dumps(valid)
    content = changed_content(valid).map(lambda one: json.dumps(one).encode())
    return st.one_of(content, content, changed_bytes(text.encode()))
