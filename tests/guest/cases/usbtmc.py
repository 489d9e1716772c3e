# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest talks to usbtmc.py through its kernel's usbtmc."""

import base64
import random

from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

WAVEFORM = 64 * 1024            # bytes
HEAD = b"#565536"
LIMIT = 100                     # seconds, for it to pass
IDENTITY = "Example,DSO 1,42,0.1"

# linux/usb/tmc.h
CLEAR, READ_STATUS_BYTE = 0x5b02, 0x80015b12
NOTHING, MESSAGE_AVAILABLE = "00", "10"


@case("an instrument on UHCI: identity and waveform reach the guest, also "
      "after a clear", limit=300)
def on_uhci(lab):
    measures(lab, "uhci")


@case("an instrument on xHCI: identity and waveform reach the guest, also "
      "after a clear", limit=300)
def on_xhci(lab):
    measures(lab, "xhci")


def measures(lab, bus):
    """Short and long answers, in one piece and in many."""
    lab.vm.agent.run("load usbtmc")
    data = random.Random(1).randbytes(WAVEFORM)
    path = lab.folder / "waveform"
    path.write_bytes(data)
    instrument, _ = plug(lab, bus, "usbtmc", "--waveform", str(path),
                         "--identity", IDENTITY)
    dialogue = Dialogue(lab.vm.agent, node(lab, "/dev/usbtmc*"))
    dialogue.expect("*IDN?", IDENTITY.encode() + b"\n")
    block = HEAD + data + b"\n"
    dialogue.expect("CURVE?", block)
    check_clear(dialogue)
    check_upload(lab, dialogue)
    instrument.check_alive()


def check_clear(dialogue):
    """It drops the answer that was not read."""
    dialogue.write("*IDN?")
    dialogue.expect_status(MESSAGE_AVAILABLE)
    dialogue.agent.run(f"ioctl {dialogue.path} {CLEAR}")
    dialogue.expect_status(NOTHING)
    dialogue.expect("*OPC?", b"1\n")


def check_upload(lab, dialogue):
    """A waveform of the guest's own comes back, and there was no error."""
    made = lab.vm.agent.run(
        f"head -c {WAVEFORM} /dev/urandom > /tmp/wave; "
        f"(printf 'CURVE {HEAD.decode()}'; cat /tmp/wave) | "
        f"tmc {dialogue.path} 0 0 && "
        f"(printf '{HEAD.decode()}'; cat /tmp/wave; echo) | sha256sum; "
        "rm /tmp/wave", LIMIT)
    seen = dialogue.ask("CURVE?", len(HEAD) + WAVEFORM + 1, "sha256sum",
                        piece=1000)
    if seen != made:
        raise Failure("the instrument does not give the waveform back that "
                      f"the guest has sent: {seen}, {made}")
    dialogue.expect("SYSTEM:ERROR?", b'0,"No error"\n')
    dialogue.write("NO SUCH COMMAND")
    dialogue.expect("SYSTEM:ERROR?", b'-113,"Undefined header"\n')


class Dialogue:
    """Commands and answers through the device node @path in the guest."""

    def __init__(self, agent, path):
        self.agent, self.path = agent, path

    def write(self, command):
        """Give it a command."""
        self.agent.run(f"echo '{command}' > {self.path}")

    def ask(self, command, length, then, piece=1 << 17):
        """Have @then read an answer, got in reads of @piece bytes."""
        return self.agent.run(
            f"echo '{command}' | tmc {self.path} {length} {piece} > "
            f"/tmp/answer && {then} < /tmp/answer && rm /tmp/answer", LIMIT)

    def expect(self, command, answer):
        """An answer must be this, byte for byte."""
        seen = base64.b64decode(self.ask(command, len(answer), "base64"))
        if seen != answer:
            raise Failure(f"{command} was answered with {seen[:60]}..., "
                          f"not with {answer[:60]}...")

    def expect_status(self, status):
        """READ_STATUS_BYTE of USB488."""
        seen = self.agent.run(f"ioctl {self.path} {READ_STATUS_BYTE} 1")
        if seen != status:
            raise Failure(f"the status byte is {seen}, not {status}")
