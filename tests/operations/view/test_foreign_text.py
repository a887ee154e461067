"""Names of events have owners, and metadata has strangers: nothing in them is a command to the operator's terminal."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from rich.text import Text

from cachao.problems import Problem
from cachao.view.entries import entries
from cachao.view.foreign_text import SafeConsole, safe, safe_json, safe_lines
from cachao.view.output import Output, escape, table

HOSTILE = {
    "a colour": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "the clipboard (OSC 52)": ("\x1b]52;c;cm0gLXJmIC8=\x07", r"\x1b]52;c;cm0gLXJmIC8=\x07"),
    "a C1 command": ("\x9b2J", r"\x9b2J"),
    "a bidirectional override": ("a\u202egnp.exe", r"a\u202egnp.exe"),
    "an isolate": ("\u2066a\u2069", r"\u2066a\u2069"),
    "line separators": ("a\u2028b\u2029c\x85d\x0be\x0cf", r"a\u2028b\u2029c\x85d\x0be\x0cf"),
    "a forged line": ("Gala\n9999  paid", r"Gala\n9999  paid".replace(r"\n", "\\x0a")),
    "an overwritten line": ("Gala\r9999  paid", r"Gala\x0d9999  paid"),
    "a zero-width blank": ("pay\u200bpal\ufeff", r"pay\u200bpal\ufeff"),
    "tags": ("\U000e0041", r"\U000e0041"),
    "half a character": ("\ud83c", r"\ud83c"),
    "a tab": ("a\tb", r"a\x09b"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_a_character_that_could_be_a_command_is_shown_as_its_number(text: str, shown: str) -> None:
    assert safe(text) == shown
    assert safe(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "\u00d1and\u00fa \u2013 \u201cGala\u201d \U0001f389",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u65e5\u672c\u8a9e",
        "\u05e9\u05dc\u05d5\u05dd",
        "e\u0301",
        r"a\b[c]",
    ],
    ids=ascii,
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_no_control_character_no_break_and_no_reordering_gets_through() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        bidi = unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        if (
            unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}
            or bidi
            or len(f"a{character}b".splitlines()) > 1
        ):
            assert safe(character) != character, hex(code)
            assert safe_lines(character) != character or character == "\n"


def test_json_keeps_its_value() -> None:
    value = {"name": "".join(text for text, _ in HOSTILE.values() if text != "\ud83c")}
    text = json.dumps(value, ensure_ascii=False, indent=2)
    written = safe_json(text)
    assert json.loads(written) == value
    assert safe_lines(written) == written


def unsafe_in(printed: str) -> set[str]:
    return {character for character in printed if character != "\n" and safe(character) != character}


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE.values() if text != "\ud83c"])
def test_no_answer_of_any_command_carries_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.answer({}, table("Orders", "event", "session", rows=[[escape(text), escape("cs_1")]]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3  # title, head, one row: no line is forged
    assert not unsafe_in("\n".join(lines))
    output.answer({}, text, Text(text), *entries(text, [(text, [escape(text)])]))
    output.line(text)
    output.line({"name": text})
    output.note(text)
    output.problem(Problem(f"Order 1 names {text}.", advice=text.replace("\n", " ")))
    Output(as_json=True).answer({"name": text})
    Output(as_json=True).problem(Problem(text))
    said = capsys.readouterr()
    assert not unsafe_in(said.out + said.err)
    assert said.err.count("Order 1 names") == 1


def test_a_sentence_keeps_the_lines_of_its_list(capsys: pytest.CaptureFixture[str]) -> None:
    Output().problem(Problem("Change this:\n- tickets is MyISAM\nand more\n- events has no id"))
    assert capsys.readouterr().err == "Change this:\n- tickets is MyISAM\\x0aand more\n- events has no id\n"


def test_a_terminal_still_gets_our_own_colours() -> None:
    console = SafeConsole(
        file=io.StringIO(), force_terminal=True, color_system="standard", width=80, legacy_windows=False
    )
    console.print("[red]ours[/red]", Text("\x1b[32mtheirs"))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[31mours" in printed
    assert r"\x1b[32mtheirs" in printed
    assert "\x1b[32m" not in printed


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_a_pipe_is_neither_folded_nor_coloured_whatever_the_ci_system_sets(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    output = Output()
    long = "word " * 60
    output.answer({}, table("", "event", "status", rows=[[escape(long), "[green]paid[/green]"]]))
    output.note(long)
    said = capsys.readouterr()
    assert f"{long.strip()}" in said.out.splitlines()[1]
    assert said.err == f"{long}\n"
    assert "\x1b" not in said.out + said.err
    assert not output.is_live
