# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/tutorial.md, from its first command to its last, in one folder."""

import shlex
import subprocess

from usblab.guest.waiting import wait_until

from guestlab import manual
from guestlab.places import TOP, Failure
from guestlab.registry import case

# linux/input-event-codes.h: EV_KEY, KEY_A and KEY_B, pressed
KEY_A, KEY_B = r" 1 30 1$", r" 1 48 1$"


@case("tutorial: a new device, used by its driver, and changed meanwhile",
      limit=180)
def tutorial(lab):
    vm = lab.new_vm(*guest_arguments())
    (lab.folder / "python").symlink_to(TOP / "python")
    save(lab, "pedal.py")
    if "iProduct             2  Pedal" not in do(lab, "describe"):
        raise Failure("describe does not show the product's name")
    log = lab.folder / "pedal.log"
    with log.open("wb") as out:
        program = subprocess.Popen(
            ["sh", "-ec", last_is_exec(manual.tutorial("run"))],
            cwd=lab.folder, stdout=out, stderr=out)
    lab.later(stop, program)
    wait_key(vm, KEY_A, log).kill()
    job = wait_key(vm, KEY_A, log)
    do(lab, "edit")
    job.wait_line("^gone$", 30)
    wait_key(vm, KEY_B, log).kill()
    good = break_file(lab, log)
    wait_key(vm, KEY_B, log).kill()
    (lab.folder / "pedal.py").write_text(good)  # as its reader will
    save(lab, "pedal_test.py")
    if do(lab, "test") != "the pedal works\n":
        raise Failure("the test says something else")


def guest_arguments():
    """What `make run` gives to QEMU."""
    words = shlex.split(manual.tutorial("guest").replace("\\\n", " "))
    if words[:2] != ["make", "run"] or not words[2].startswith("ARGS="):
        raise Failure(f"not make run ARGS=...: {words}")
    return shlex.split(words[2].partition("=")[2])


def save(lab, name):
    """The file of this name, as the text says."""
    (lab.folder / name).write_text(manual.tutorial(name))


def do(lab, name):
    """Run the commands of a block; returns what they print."""
    done = subprocess.run(["sh", "-ec", manual.tutorial(name)], text=True,
                          cwd=lab.folder, capture_output=True, timeout=60)
    if done.returncode:
        raise Failure(f"{name}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def last_is_exec(commands):
    """The last command in place of the shell, so that it gets signals."""
    *first, last = commands.strip().splitlines()
    return "\n".join([*first, f"exec {last}"])


def wait_key(vm, key, log):
    """Start evread in the guest, and wait until it prints this key."""
    job = vm.agent.start(manual.tutorial("evread").strip())
    try:
        job.wait_line(key, 30)
    except Failure as error:
        raise Failure(f"{error}\n{log.read_text()}") from error
    return job


def break_file(lab, log):
    """
    A bracket less: one line says so, and nothing is unplugged.  Returns the
    text of before.
    """
    path = lab.folder / "pedal.py"
    good = path.read_text()
    path.write_text(good.replace("main(Pedal)", "main("))
    wait_until(lambda: "; the old device stays" in log.read_text(), 30,
               "no word of the broken file")
    if "Traceback" in log.read_text():
        raise Failure(f"a traceback:\n{log.read_text()}")
    return good


def stop(process):
    """End the program."""
    process.terminate()
    process.wait(10)
