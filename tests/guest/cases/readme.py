# SPDX-License-Identifier: GPL-2.0-or-later
"""What README.md tells people to type does what it says."""

import subprocess

from guestlab import manual
from guestlab.places import TOP, Failure
from guestlab.registry import case

from cases.hotplug import PLUGGED


@case("README: the demo passes")
def demo(lab):
    make, target = manual.readme("demo")
    if make != "make":
        raise Failure(f"not make, but {make}")
    done = subprocess.run([TOP / "scripts" / target], text=True, check=False,
                          capture_output=True, timeout=100)
    if done.returncode or not done.stdout.endswith("\ndemo: PASS\n"):
        raise Failure(f"{done.stdout}\n{done.stderr}")


@case("README: the mouse, and files that come in as a disk")
def first_page(lab):
    (lab.folder / "file").write_text("of my own")
    subprocess.run(["tar", "cf", "my.tar", "file"], cwd=lab.folder, check=True)
    program, *arguments = manual.readme("qemu")
    if program != "build/bin/qemu-system-x86_64":
        raise Failure(f"not the QEMU that is built, but {program}")
    vm = lab.new_vm(*arguments, *manual.readme("disk"))
    program, *options = manual.readme("mouse")
    if program != "examples/mouse.py":
        raise Failure(f"not the mouse, but {program}")
    lab.mouse(*options)
    vm.kernel_log.wait(PLUGGED)
    vm.agent.run("cd /tmp; "
                 + manual.markdown(manual.README, "untar").strip())
    if vm.agent.run("cat /tmp/file") != "of my own":
        raise Failure("the file did not come in")
