#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB printer: what the guest prints is appended to a file.

    examples/printer.py --connect unix:/tmp/printer --output job.prn

The bytes are those that the guest sends to /dev/usb/lp0, whatever language
they are in.  SIGUSR1 takes the paper out, and puts it in again: meanwhile
the printer takes nothing, as a real one would, and says so when asked.

A USB printer is not told where a job ends: all jobs are in the one file, one
after the other.  With --pause each gets a file of its own that was not there
before, job.prn, job-2.prn and so on: a job has ended when the guest has sent
nothing for so long, or has reset the printer, or it was plugged in anew.
"""

import itertools
import logging
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import (Configuration, Device, Endpoint,         # noqa: E402
                       Interface, Speed, TransferType, cli, main)

# Universal Serial Bus Device Class Definition for Printing Devices 1.1
PRINTER, BIDIRECTIONAL = (7, 1), 2      # class and subclass, protocol
GET_DEVICE_ID, GET_PORT_STATUS, SOFT_RESET = 0, 1, 2    # section 4.2
NO_ERROR, SELECTED, PAPER_EMPTY = 0x08, 0x10, 0x20      # section 4.2.2


class Printer(Device):
    vendor_id, product_id = 0x1209, 0x0004
    manufacturer, product = "usb-remote", "Python Printer"
    speeds = (Speed.FULL, Speed.HIGH)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--output", type=cli.data_file, required=True,
                            metavar="FILE", help="where the jobs go")
        parser.add_argument("--pause", type=cli.number(0.001, 1e6, float),
                            metavar="SECONDS", help="after so long without "
                            "data the next job begins, with another file")
        parser.add_argument("--model", default=cls.product,
                            type=cli.ascii_text(";"),
                            help=f"of the device id ({cls.product})")
        parser.add_argument("--commands", default="PCL,POSTSCRIPT",
                            type=cli.ascii_text(";"),
                            metavar="LIST", help="languages of the device "
                            "id (PCL,POSTSCRIPT)")

    def __init__(self, options):
        super().__init__(options)
        self.paper, self.broken = True, False
        self.output = options.output
        self.last, self.job_ended = 0.0, False      # when something came

    def configurations(self, speed):
        bulk = TransferType.BULK
        return [Configuration([Interface(*PRINTER, BIDIRECTIONAL, endpoints=[
            Endpoint(0x01, bulk), Endpoint(0x82, bulk)])])]

    def control(self, setup):
        answer = {(0xa1, GET_DEVICE_ID): self.device_id,
                  (0xa1, GET_PORT_STATUS): self.port_status,
                  (0x21, SOFT_RESET): self.soft_reset,
                  (0x23, SOFT_RESET): self.soft_reset,  # of class version 1.0
                  }.get((setup.request_type, setup.request))
        return answer() if answer else super().control(setup)

    def device_id(self):
        """IEEE 1284: pairs of key and value, after the length of it all."""
        text = (f"MFG:{self.manufacturer};MDL:{self.options.model};"
                f"CMD:{self.options.commands};CLS:PRINTER;").encode()
        return struct.pack(">H", len(text) + 2) + text

    def port_status(self):
        return bytes((SELECTED | NO_ERROR * (not self.broken)
                      | PAPER_EMPTY * (not self.paper),))

    def soft_reset(self):
        """Of what the guest has sent, all is on paper."""
        self.job_ended = True

    def on_attached(self, speed):
        self.job_ended = True

    def choose_output(self, pause):
        """A file of its own for what may be another job."""
        ended = self.job_ended or self.now() - self.last > pause
        if ended and os.fstat(self.output.fileno()).st_size:
            before, self.output = self.output, self.next_output()
            if before is not self.options.output:
                before.close()
        self.job_ended = False

    def next_output(self):
        stem, suffix = os.path.splitext(self.options.output.name)
        for number in itertools.count(2):
            try:
                return open(f"{stem}-{number}{suffix}", "xb", buffering=0)
            except FileExistsError:
                pass

    def print(self, data):
        while data:             # a disk that gets full takes a part of it
            data = data[self.output.write(data):]

    async def configured(self):
        async for packet in self.ep_out(1):
            try:
                if self.options.pause and packet:
                    self.choose_output(self.options.pause)
                while not self.paper:
                    await self.sleep(0.1)
                self.print(packet)
                self.last, self.broken = self.now(), False
            except OSError as err:
                logging.error("%s; the guest is told of an error", err)
                self.broken = True
                self.ep_out(1).halt()

    def on_user_signal(self):
        self.paper = not self.paper
        print("paper is", "in" if self.paper else "out", flush=True)


if __name__ == "__main__":
    main(Printer)
