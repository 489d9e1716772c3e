# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab import: mails and files, several devices, the file it writes."""

import base64
import gzip
import quopri
import subprocess

import pytest

import examples
from conftest import LAB
from usblab import mock
from usblab.commands.show import sysfs_bytes

HEADERS = """From: Somebody <somebody@example.org>
Subject: it does not work
Message-ID: <1@example.org>
MIME-Version: 1.0
"""


def mail(body, encoding=None):
    text = f"Hello,\n\nthis is it:\n\n{body}\n-- \nSomebody\n"
    if encoding is None:
        return f"{HEADERS}\n{text}"
    coded = (base64.encodebytes(text.encode()) if encoding == "base64"
             else quopri.encodestring(text.encode())).decode()
    return (f"{HEADERS}Content-Type: text/plain; charset=utf-8\n"
            f"Content-Transfer-Encoding: {encoding}\n\n{coded}")


def attached(body):
    coded = base64.encodebytes(gzip.compress(body.encode())).decode()
    return f"""{HEADERS}Content-Type: multipart/mixed; boundary="x"

--x
Content-Type: text/plain

See the attachment.
--x
Content-Type: application/gzip; name="lsusb.txt.gz"
Content-Disposition: attachment; filename="lsusb.txt.gz"
Content-Transfer-Encoding: base64

{coded}
--x--
"""


def page(body):
    text = body.replace("&", "&amp;").replace("<", "&lt;")
    return f"<html><body><p>It is <b>this</b>:</p><pre>{text}</pre></body>"


FORMS = {
    "plain": lambda body: body, "mail": mail, "attached": attached,
    "quoted-printable": lambda body: mail(body, "quoted-printable"),
    "base64": lambda body: mail(body, "base64"), "page": page,
    "quoted-printable without its header":
        lambda body: quopri.encodestring(
            body.replace(" ", "\u00a0").encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_mail_becomes_a_device_file(usb_lab, form):
    run = usb_lab("import", "-", text=FORMS[form](examples.text("keyboard")))
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0] == (
        "1209:0930 Example Works Office Keyboard: low speed, configurations "
        "of 34 bytes; descriptors whole, other guessed")
    shown = usb_lab("show", "--hex", "1209-0930.usbdev")
    assert shown.stdout.strip() == examples.KEYBOARD.hex()


def test_a_line_is_named_by_its_number_in_the_mail(usb_lab):
    text = mail(examples.text("modem").replace("0x0064", "0x0065"))
    run = usb_lab("import", "-", text=text)
    line, = [number for number, row in enumerate(text.splitlines(), 1)
             if "wTotalLength" in row]
    assert run.returncode == 2
    assert run.stderr.startswith(f"usb-lab: -: line {line}: wTotalLength")
    assert "xxd -p" in run.stderr


ALL = "".join(map(examples.text, examples.BYTES))


def test_of_several_devices_there_is_a_list(usb_lab):
    run = usb_lab("import", "-", text=ALL)
    assert (run.returncode, run.stdout) == (2, "")
    first, *rest = run.stderr.splitlines()
    assert "one of 3 devices with --device" in first
    assert [row.split()[1] for row in rest] == ["1209:2001", "1209:0920",
                                                "1209:0930"]


@pytest.mark.parametrize("wanted, name", [
    ("1209:0920", "disk"), ("1209:0930", "keyboard"), ("1", "modem")])
def test_one_of_several_is_chosen(usb_lab, wanted, name):
    run = usb_lab("import", "-", "-d", wanted, "-o", "x.usbdev", text=ALL)
    assert run.returncode == 0, run.stderr
    assert usb_lab("show", "--hex", "x.usbdev").stdout.strip() == \
        examples.BYTES[name].hex()


def test_an_id_that_is_not_there(usb_lab):
    run = usb_lab("import", "-", "-d", "1:1", text=ALL)
    assert run.returncode == 2
    assert "0 of these devices" in run.stderr


def test_as_printed_is_kept_in_the_file(usb_lab):
    text = examples.text("modem").replace("0x0064", "0x0065")
    run = usb_lab("import", "-", "--as-printed", "-o", "x.usbdev", text=text)
    assert run.returncode == 0, run.stderr
    assert "descriptors missing" in run.stdout
    assert usb_lab("show", "x.usbdev").returncode == 0


@pytest.mark.parametrize("text", ["", "Hello,\n\nno device here.\n",
                                  "\0\1\2\3", mail("nothing"),
                                  "12 01 00 02\n"])
def test_without_a_device_there_is_one_clear_line(usb_lab, text):
    run = usb_lab("import", "-", text=text)
    assert (run.returncode, run.stdout) == (2, "")
    assert "no device is described" in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", [
    examples.MODEM.hex(), examples.MODEM.hex(" "),
    "\n".join(f"{at:08x}: {examples.MODEM[at:at + 16].hex(' ', 2)}  ...."
              for at in range(0, len(examples.MODEM), 16)),
    "\n".join(f"{at:08x}  {examples.MODEM[at:at + 8].hex(' ')}  "
              f"{examples.MODEM[at + 8:at + 16].hex(' ')}  |....|"
              for at in range(0, len(examples.MODEM), 16))
    + f"\n{len(examples.MODEM):08x}"],
    ids=["xxd -p", "bytes", "xxd", "hexdump -C"])
def test_descriptors_in_hex(usb_lab, text):
    run = usb_lab("import", "-", text=text + "\n")
    assert run.returncode == 0, run.stderr
    assert usb_lab("show", "--hex", "1209-2001.usbdev").stdout.strip() == \
        examples.MODEM.hex()


def test_binary_descriptors(usb_lab, tmp_path):
    (tmp_path / "descriptors").write_bytes(examples.DISK)
    run = usb_lab("import", "descriptors")
    assert run.returncode == 0, run.stderr
    assert usb_lab("show", "--hex", "1209-0920.usbdev").stdout.strip() == \
        examples.DISK.hex()


def test_show_has_the_words_of_lsusb(usb_lab):
    """What it prints gives the same bytes again."""
    usb_lab("import", "-", "-o", "x.usbdev", text=examples.text("modem"))
    run = usb_lab("show", "--lsusb", "x.usbdev")
    if mock.missing():
        assert run.returncode == 2 and "is not installed" in run.stderr
        return
    assert run.returncode == 0, run.stderr
    assert sysfs_bytes(examples.read(run.stdout)) == examples.MODEM


def test_all_devices_go_to_files_of_their_own(usb_lab, tmp_path):
    (tmp_path / "out").mkdir()
    damaged = examples.text("modem").replace("0x0064", "0x0065")
    run = usb_lab("import", "--all", "-", "-o", "out", "-q",
                  text=ALL + damaged + examples.text("disk"))
    assert run.returncode == 2
    assert run.stderr.startswith("usb-lab: 1209:2001: -: line ")
    assert len(run.stderr.splitlines()) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1209-0920-2.usbdev", "1209-0920.usbdev", "1209-0930.usbdev",
        "1209-2001.usbdev"]


@pytest.mark.parametrize("row", [
    f"{'5a' * 32} image.bin", f"beef: {'5a' * 32} x",
    f"0000: {'5a5a5a5a ' * 8}x", f"{'>' * 70}{'5a' * 32}x"],
    ids=["sha256sum", "a word before", "words of xxd", "quoted"])
def test_a_row_that_is_nearly_hexadecimal_is_read_at_once(row):
    # a process of its own, as nothing else ends a search that hangs
    run = subprocess.run([str(LAB / "usb-lab"), "import", "-"], text=True,
                         input=f"{row}\n", capture_output=True, check=False,
                         timeout=60)
    assert run.returncode == 2
    assert "no device is described" in run.stderr
