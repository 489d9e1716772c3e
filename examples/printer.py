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
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, Speed, cli, main                  # noqa: E402
from usbremote.functions import printer                         # noqa: E402


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
        self.output = options.output
        self.last, self.job_ended = 0.0, False      # when something came
        self.printer = printer.Printer(
            self.print, self.manufacturer, options.model, options.commands,
            on_data=self.choose_output, on_reset=self.end_job)
        self.functions = [self.printer]

    def end_job(self):
        self.job_ended = True

    def on_attached(self, speed):
        self.end_job()

    def choose_output(self, data):
        """A file of its own for what may be another job."""
        pause = self.options.pause
        if not pause or not data:
            return
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
        self.last = self.now()

    def on_user_signal(self):
        self.printer.paper = not self.printer.paper
        print("paper is", "in" if self.printer.paper else "out", flush=True)


if __name__ == "__main__":
    main(Printer)
