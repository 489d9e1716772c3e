# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisection: over verdicts that are given here."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usblab import edges
from usblab.commands import bisect, try_
from usblab.edges import Edge
from usblab.kernels import Source
from usblab.trial import Outcome, Result

VERDICT = {"g": True, "b": False, "-": None}


def find(row):
    return edges.find(len(row), lambda index: VERDICT[row[index]])


@pytest.mark.parametrize("row, edge", [
    ("gb", Edge(0, 1, True)), ("bbgg", Edge(1, 2, False)),
    ("gggggggb", Edge(6, 7, True)), ("g--b", Edge(0, 3, True)),
    ("-gb-", Edge(1, 2, True)), ("bb-gg", Edge(1, 3, False)),
    ("gg", None), ("bgb", None), ("--", None), ("", None), ("g", None)])
def test_the_edge_is_found(row, edge):
    assert find(row) == edge


@given(st.text("gb-", max_size=40))
def test_two_that_differ_and_between_them_nothing_that_tells(row):
    edge = find(row)
    told = row.replace("-", "")
    if edge is None:
        assert not told or told[0] == told[-1]
        return
    assert row[edge.before] != row[edge.after]
    assert (row[edge.before] == "g") == edge.good_before
    assert set(row[edge.before + 1:edge.after]) <= {"-"}


@given(st.integers(2, 500), st.data())
def test_each_is_tried_once_and_few_are(count, data):
    edge = data.draw(st.integers(1, count - 1))
    tried = []
    edges.find(count, lambda index: tried.append(index) or index < edge)
    assert len(set(tried)) == len(tried) <= 3 + count.bit_length()


def run(monkeypatch, row):
    """The command, with kernels that are the letters of a row."""
    results = {"g": Result.GOOD, "b": Result.BAD, "-": Result.SKIPPED}
    sources = [Source(f"6.{number}", lambda: None)
               for number in range(len(row))]
    monkeypatch.setattr(try_, "find_all", lambda specs: sources)
    monkeypatch.setattr(try_, "make_setting", lambda *_: None)
    monkeypatch.setattr(try_, "one", lambda _, source: Outcome(
        source.name, "xhci", results[row[int(source.name[2:])]]))
    return bisect.run(argparse.Namespace(kernel=[], controller="xhci"))


@pytest.mark.parametrize("row, status, said", [
    ("bbgg", 0, "mended between 6.1 and 6.2"),
    ("ggb", 0, "broken between 6.1 and 6.2"),
    ("g-b", 0, "broken between 6.0 and 6.2 (6.1 told nothing)"),
    ("gg", 1, "the first and the last kernel are both good"),
    ("--", 125, "no kernel told anything")])
def test_what_it_says(monkeypatch, capsys, row, status, said):
    assert run(monkeypatch, row) == status
    assert capsys.readouterr().out.splitlines()[-1] == said
