# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab run and diff: reports and comparisons, without any guest."""

import json
from xml.etree import ElementTree

import pytest

from usblab import cli, report, results, trial
from usblab.commands import run, try_
from usblab.errors import Problem
from usblab.expect import Seen
from usblab.kernels import Source
from usblab.results import Entry
from usblab.trial import Outcome, Result

from test_try import TEXT

OLD, NEW = "6.12.57+deb12-amd64", "6.12.69+deb12-amd64"
ENTRIES = [
    Entry("wheel", OLD, "xhci", "bad", "no driver", [], 1.5),
    Entry("pad", OLD, "uhci", "good", "", ["xpad"], 2.0),
    Entry("wheel", NEW, "xhci", "good", "", ["usbhid"], 1.0),
    Entry("pad", NEW, "uhci", "skipped", "CONFIG_JOYSTICK_XPAD is not set"),
]
KTAP = f"""\
KTAP version 1
1..2
    KTAP version 1
    # Subtest: {OLD}
    1..2
    # no driver
    not ok 1 wheel_xhci
    ok 2 pad_uhci
not ok 1 {OLD}
    KTAP version 1
    # Subtest: {NEW}
    1..2
    ok 1 wheel_xhci
    ok 2 pad_uhci # SKIP CONFIG_JOYSTICK_XPAD is not set
ok 2 {NEW}
"""


def test_ktap_has_a_test_for_each_kernel_and_subtests_for_devices():
    assert report.ktap(ENTRIES) == KTAP


def test_a_kernel_of_which_nothing_was_learnt_is_a_skip():
    assert report.ktap(ENTRIES[3:]).splitlines()[-1] == f"ok 1 {NEW} # SKIP"


def test_names_cannot_be_taken_for_directives():
    entry = Entry("a # SKIP b\nok 3", "6.9", "xhci", "bad")
    assert "not ok 1 a_SKIP_b_ok_3_xhci\n" in report.ktap([entry])


def test_junit_counts_and_names_the_same():
    root = ElementTree.fromstring(report.junit(ENTRIES).encode())
    assert [suite.get("name") for suite in root] == [OLD, NEW]
    assert [(s.get("tests"), s.get("failures"), s.get("skipped"))
            for s in root] == [("2", "1", "0"), ("2", "0", "1")]
    assert root.find(".//failure").get("message") == "no driver"
    assert [c.get("name") for c in root.iter("testcase")] == [
        "wheel xhci", "pad uhci"] * 2


def test_junit_takes_any_text():
    entry = Entry("x", "6.9", "xhci", "bad", "\x1b[1m <&> \0")
    root = ElementTree.fromstring(report.junit([entry]).encode())
    assert root.find(".//failure").get("message") == "?[1m <&> ?"


def test_an_index_is_read_as_it_was_written(tmp_path):
    results.write(tmp_path / "run", ENTRIES)
    assert results.read(tmp_path / "run") == ENTRIES


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]"])
def test_what_is_no_index_is_one_line(tmp_path, text):
    (tmp_path / "index.jsonl").write_text(text)
    with pytest.raises(Problem, match="not the index"):
        results.read(tmp_path)


def entries(*words):
    """Entries of one device, one for each word of a kernel."""
    return [Entry("wheel", kernel, "xhci", result) for kernel, result in
            (word.split(":") for word in words)]


@pytest.mark.parametrize("before, after, said", [
    (["6.1:good"], ["6.1:bad"], ["broken"]),
    (["6.1:bad"], ["6.1:good"], ["fixed"]),
    (["6.1:bad"], ["6.1:bad"], []),
    (["6.1:good"], ["6.1:skipped"], ["good -> skipped"]),
    (["6.1:good"], ["6.2:good"], ["good -> gone", "new -> good"]),
    (["6.1:good"], ["6.1:good", "6.1:bad"], ["flaky"]),
    (["6.1:good", "6.1:bad"], ["6.1:good"], ["flaky"])])
def test_two_runs_are_compared(before, after, said):
    assert [word for word, _ in results.compare(
        entries(*before), entries(*after))] == said


@pytest.mark.parametrize("after, status, said", [
    (["6.1:bad"], 1, "broken: wheel, 6.1, xhci\n"),
    (["6.1:good"], 0, "no difference\n")])
def test_diff_says_what_is_broken(tmp_path, capsys, after, status, said):
    results.write(tmp_path / "1", entries("6.1:good"))
    results.write(tmp_path / "2", entries(*after))
    assert cli.main(["diff", str(tmp_path / "1"), str(tmp_path / "2")]) == \
        status
    assert capsys.readouterr().out == said


@pytest.fixture(name="folder")
def two_devices(tmp_path, monkeypatch):
    """A folder with two devices, and kernels that like the first only."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.usbdev").write_text(TEXT)
    monkeypatch.setattr(try_, "find_all", lambda specs: [
        Source("6.1", lambda: None), Source("6.2", lambda: None)])

    def tried(setting, source):
        good = setting.device.endswith("a.usbdev") or source.name == "6.2"
        return Outcome(source.name, setting.controller, *(
            [Result.GOOD, [], Seen(drivers={"1-1:1.0": "usbhid"})] if good
            else [Result.BAD, ["no\ndriver"]]), took=1.0)
    monkeypatch.setattr(trial, "run", tried)
    return tmp_path


def test_run_tries_each_device_with_each_kernel(folder, capsys):
    status = cli.main(["run", str(folder), "-n", "2", "-c", "xhci", "-c",
                       "uhci", "--ktap", str(folder / "k"), "--junit",
                       str(folder / "j"), "--results", str(folder / "r")])
    out = capsys.readouterr().out
    assert status == 1
    assert out.splitlines()[-1] == "6 good, 2 bad, 0 skipped"
    assert "6.1, xhci: b: BAD: no driver (1.0 s)" in out
    index = (folder / "r/index.jsonl").read_text().splitlines()
    assert [json.loads(line)["result"] for line in index].count("bad") == 2
    assert (folder / "k").read_text() == report.ktap(
        results.read(folder / "r"))
    assert (folder / "j").read_text().startswith("<?xml")


def test_parts_together_are_the_whole(folder, capsys):
    for number in (1, 2, 3):
        cli.main(["run", str(folder), "--part", f"{number}/3"])
    lines = [line for line in capsys.readouterr().out.splitlines()
             if "xhci: " in line]
    assert len(lines) == len(set(lines)) == 4


def test_what_is_tried_often_and_differs_is_flaky(folder, capsys,
                                                  monkeypatch):
    answers = iter([Result.GOOD, Result.BAD] * 4)
    monkeypatch.setattr(trial, "run", lambda setting, source: Outcome(
        source.name, setting.controller, next(answers)))
    cli.main(["run", str(folder), "--repeat", "2"])
    assert "flaky: a, 6.1, xhci" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, complaint", [
    (["{}/empty"], "no device file"), (["{}/none.usbdev"], "No such file"),
    (["{}", "--part", "3/2"], "is not K/N"), (["{}", "-n", "0"], "no number"),
    (["{}", "--results", "{}"], "is there already")])
def test_bad_input_is_one_line_and_status_2(folder, capsys, arguments,
                                            complaint):
    (folder / "empty").mkdir()
    words = [word.format(folder) for word in arguments]
    try:
        status = cli.main(["run", *words])
    except SystemExit as end:
        status = end.code
    err = capsys.readouterr().err
    assert status == 2 and complaint in err and len(err.splitlines()) == 1


def test_the_status_is_that_of_the_worst():
    assert run.status(entries("1:good", "1:bad")) == 1
    assert run.status(entries("1:good", "2:skipped")) == 0
    assert run.status(entries("2:skipped")) == 125


@pytest.mark.parametrize("command", [
    ["run", "no-such-folder"], ["run", "none.usbdev"],
    ["try", "none.usbdev"], ["bisect", "none.usbdev", "-k", "6.1"]])
def test_a_device_that_is_not_there_is_said_before_kernels_are_fetched(
        usb_lab, monkeypatch, command):
    monkeypatch.setattr(try_, "find_all", lambda specs: pytest.fail(
        "kernels are looked for"))
    found = usb_lab(*command)
    assert found.returncode == 2
    assert found.stderr == (f"usb-lab: {command[1]}: No such file or "
                            "directory\n")
