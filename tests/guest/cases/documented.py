# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/usb-remote.rst tells people to type does what it says."""

import json
import shlex
import shutil
import socket
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from guestlab import manual, tls
from guestlab.example import driver_in_guest, name_in_guest
from guestlab.places import TOP, Failure, Unavailable, qemu
from guestlab.pointer import Pointer
from guestlab.registry import case
from guestlab.turns import finish_turn

from usblab.guest.waiting import wait_until

from cases.hotplug import PLUGGED, UNPLUGGED, quiet_hmp

# The manual's mouse is endless; a quick turn is enough here.
ONE_TURN = ["--turns", "1", "--speed", "high", "--rate", "250"]
BOOTED = b"booted from the peer"


@case("manual: quick start")
def quick_start(lab):
    vm = lab.new_vm(*manual.qemu("quick-start.qemu"))
    one_turn(lab, vm, manual.mouse("quick-start.peer"))


@case("manual: QEMU listens at a unix socket, peers come and go")
def unix_server(lab):
    vm = lab.new_vm(*manual.qemu("unix-server.qemu"))
    for _ in range(2):
        one_turn(lab, vm, manual.mouse("unix-server.peer"))


@case("manual: the peer listens, and QEMU connects to it again and again")
def unix_client(lab):
    vm = lab.new_vm(*manual.qemu("unix-client.qemu"))
    for _ in range(2):
        one_turn(lab, vm, manual.mouse("unix-client.peer"))


@case("manual: TCP")
def tcp(lab):
    port = free_port()
    vm = lab.new_vm(*moved(manual.qemu("tcp.qemu"), "5555", port))
    one_turn(lab, vm, moved(manual.mouse("tcp.peer"), "5555", port))


@case("manual: TLS")
def tls_server(lab):
    vm, port = boot_tls(lab)
    path = lab.folder / "plain.sock"
    lab.later(tls.Bridge(path, port, lab.folder / "tls").stop)
    one_turn(lab, vm, ["--connect", f"unix:{path}"])


@case("manual: TLS, with socat as the tunnel")
def tls_socat(lab):
    if not shutil.which("socat"):
        raise Unavailable("there is no socat: apt-get install socat")
    vm, port = boot_tls(lab)
    line = manual.lines("tls.peer")[-1].replace("5556", str(port))
    path = lab.folder / "mouse.sock"
    pointer = Pointer(vm.agent)
    mouse = lab.mouse("--listen", "unix:./mouse.sock", *ONE_TURN)
    mouse.wait_for_file(path)
    tunnel = subprocess.Popen(line.split(), cwd=lab.folder)
    lab.later(stop, tunnel)
    check_turn(mouse, pointer)


@case("manual: two devices at one server, told apart by select=")
def select(lab):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(lab.folder / "devices.sock"))
    listener.listen(2)
    listener.settimeout(30)
    lab.later(listener.close)
    lab.new_vm(*manual.qemu("select.qemu"))
    hellos = [first_words(lab, listener) for _ in range(2)]
    for word in (b"broken-headset", b"slow-disk"):
        if sum(word in hello for hello in hellos) != 1:
            raise Failure(f"{word} is not in just one HELLO: {hellos}")


@case("manual: booting from a peer")
def boot(lab):
    """Each disk's boot sector says a word at the serial port.  The one on IDE
    would have the first turn."""
    for name, word in (("disk", BOOTED), ("ide", b"another disk")):
        (lab.folder / f"{name}.img").write_bytes(
            boot_sector(word) + bytes(1 << 20))
    log, said = lab.folder / "qemu.log", lab.folder / "serial"
    said.touch()
    with log.open("wb") as file:
        machine = subprocess.Popen(
            [qemu(), *manual.qemu("boot.qemu"), "-display", "none",
             "-serial", f"file:{said}",
             "-drive", "file=ide.img,format=raw,if=ide"], cwd=lab.folder, stdin=subprocess.DEVNULL,
            stdout=file, stderr=file)
    lab.later(stop, machine)
    wait_until(lambda: b"waiting for connection" in log.read_bytes(), 30,
               "QEMU does not wait for its peer")
    lab.example("storage", *manual.words("boot.peer", "examples/storage.py"))
    wait_until(lambda: BOOTED in said.read_bytes(), 60, lambda:
               f"no boot from the peer; {said.read_bytes()} was said instead")


def boot_sector(text):
    """A boot sector that writes @text to the first serial port, and halts."""
    code = bytes.fromhex("31c0 8ed8 fc"         # xor ax, ax; mov ds, ax; cld
                         "be 167c ba f803"      # mov si, text; mov dx, 0x3f8
                         "ac 84c0 7403 ee ebf8"     # each byte until a 0: out
                         "f4 ebfd")             # hlt, for ever
    return (code + text + b"\0").ljust(510, b"\0") + b"\x55\xaa"


@case("manual: each example is used by the driver that is named")
def examples(lab):
    lab.vm.agent.run("".join(f"load {module}; " for module in (
        "usblp", "usbtmc", "usb_storage", "cdc_acm", "cdc_ether", "usbtest")))
    device = lab.remote("xhci")
    (lab.folder / "usb.sock").symlink_to(device.path)
    drivers = manual.drivers()
    for line in manual.lines("examples.peer"):
        program, *options = shlex.split(line)
        name = Path(program).stem
        if not (TOP / program).is_file():
            raise Failure(f"there is no {program}")
        mark = lab.vm.kernel_log.mark()
        example = lab.example(name, *options)
        found = name_in_guest(lab, example, mark)
        driver = driver_in_guest(lab, found)
        if driver != drivers.pop(name, None):
            raise Failure(f"{name} is used by {driver}")
        example.stop()
        lab.vm.kernel_log.wait(UNPLUGGED, mark)
    if drivers:
        raise Failure(f"no command line for {', '.join(drivers)}")


@case("manual: a device of one's own")
def own_device(lab):
    vm, mark = lab.vm, lab.vm.kernel_log.mark()
    device = lab.remote("xhci")
    (lab.folder / "echo.py").write_text(manual.block("echo.py"))
    (lab.folder / "python").symlink_to(TOP / "python")
    (lab.folder / "usb.sock").symlink_to(device.path)
    program = subprocess.Popen(
        ["sh", "-c", "exec env " + manual.block("echo.peer")], cwd=lab.folder)
    lab.later(stop, program)
    vm.kernel_log.wait("Product: Echo", mark)


@case("manual: a capture file")
def pcap(lab):
    vm = lab.new_vm(*manual.qemu("pcap.qemu"))
    one_turn(lab, vm, ["--connect", "unix:./usb.sock"])
    vm.qmp.command("device_del", id="usb0")
    vm.qmp.wait_event("DEVICE_DELETED", device="usb0")
    data = (lab.folder / "usb.pcap").read_bytes()
    if data[:4] != bytes.fromhex("d4c3b2a1") or len(data) < 360 * 64:
        raise Failure(f"usb.pcap has {len(data)} bytes, from {data[:4]}")


@case("manual: trace events")
def trace(lab):
    vm = lab.new_vm(*manual.qemu("trace.qemu"))
    one_turn(lab, vm, ["--connect", "unix:./usb.sock"])
    lines = [line for line in vm.log_text().splitlines()
             if "usb_remote_" in line]
    if len(lines) < 360:
        raise Failure(f"{len(lines)} trace lines for 360 reports")


@case("manual: plugging in and out by the human monitor")
def hotplug_hmp(lab):
    add, plug, info, unplug, remove = manual.lines("hotplug.hmp")
    vm, mark = lab.vm, lab.vm.kernel_log.mark()
    quiet_hmp(vm, add)
    quiet_hmp(vm, plug)
    lab.mouse("--connect", f"unix:{vm.folder}/usb1.sock", "--idle")
    vm.kernel_log.wait(PLUGGED, mark)
    if "Python Mouse" not in vm.qmp.hmp(info):
        raise Failure(f"{info} does not show the mouse")
    quiet_hmp(vm, unplug)
    vm.kernel_log.wait(UNPLUGGED, mark)
    vm.qmp.wait_event("DEVICE_DELETED", device="usb1")
    quiet_hmp(vm, remove)


@case("manual: plugging in and out by QMP")
def hotplug_qmp(lab):
    add, plug, unplug, remove = map(json.loads, manual.lines("hotplug.qmp"))
    vm, mark = lab.vm, lab.vm.kernel_log.mark()
    vm.qmp.message(add)
    vm.qmp.message(plug)
    lab.mouse("--connect", f"unix:{vm.folder}/usb1.sock", "--idle")
    vm.kernel_log.wait(PLUGGED, mark)
    vm.qmp.message(unplug)
    vm.kernel_log.wait(UNPLUGGED, mark)
    vm.qmp.wait_event("DEVICE_DELETED", device="usb1")
    vm.qmp.message(remove)


@case("manual: chardev-change moves the device to another socket")
def chardev_change(lab):
    add, plug, change = manual.lines("chardev-change.hmp")
    vm, mark = lab.vm, lab.vm.kernel_log.mark()
    quiet_hmp(vm, add)
    lab.later(quiet_hmp, vm, "chardev-remove c1")
    quiet_hmp(vm, plug)
    lab.later(unplug_and_wait, vm, "usb1")
    old = lab.mouse("--connect", f"unix:{vm.folder}/usb1.sock", "--idle")
    vm.kernel_log.wait(PLUGGED, mark)
    quiet_hmp(vm, change)
    vm.kernel_log.wait(UNPLUGGED, mark)
    old.wait_exit()
    mark = vm.kernel_log.mark()
    lab.mouse("--connect", f"unix:{vm.folder}/usb2.sock", "--idle")
    vm.kernel_log.wait(PLUGGED, mark)


@case("manual: looking at the device's state")
def state(lab):
    device = lab.remote("xhci")
    mark = lab.vm.kernel_log.mark()
    lab.mouse("--connect", device.address, "--idle")
    lab.vm.kernel_log.wait(PLUGGED, mark)
    for line in manual.lines("state.hmp"):
        line = line.replace("usb0", device.id)
        shown = lab.vm.qmp.hmp(line)
        if not shown or "Error" in shown:
            raise Failure(f"(qemu) {line}\n{shown}")
    question = manual.block("state.qmp").replace("usb0", device.id)
    speed = lab.vm.qmp.message(json.loads(question))
    if speed != "full":
        raise Failure(f"{question}\n{speed}")


@case("manual: the options that libvirt is to pass on")
def libvirt(lab):
    arguments = [arg.get("value").replace("/run/usb-remote/", "./")
                 for arg in ElementTree.fromstring(manual.block("libvirt.xml"))
                 .iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]
    vm = lab.new_vm("-device", "qemu-xhci,id=usb", *arguments,
                    wait_boot=False)
    if "USB remote device" not in vm.qmp.hmp("info usb"):
        raise Failure("info usb does not show the device")


def boot_tls(lab):
    """A guest whose QEMU listens with TLS; returns it and the port."""
    if not shutil.which("openssl"):
        raise Unavailable("there is no openssl: apt-get install openssl")
    subprocess.run(["sh", "-e"], input=manual.block("tls.certs"), text=True,
                   cwd=lab.folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    port = free_port()
    return lab.new_vm(*moved(manual.qemu("tls.qemu"), "5556", port)), port


def one_turn(lab, vm, options):
    """A mouse comes, makes one turn, and goes."""
    pointer = Pointer(vm.agent)
    mouse = lab.mouse(*options, *ONE_TURN)
    check_turn(mouse, pointer)


def check_turn(mouse, pointer):
    """The turn arrives; then the mouse ends and the guest notices."""
    mouse.during(pointer.wait_open)
    finish_turn(mouse, pointer)
    mouse.stop()
    pointer.wait_gone()


def moved(arguments, port, other):
    """The arguments with another TCP port."""
    return [word.replace(port, str(other)) for word in arguments]


def free_port():
    """A TCP port that nobody has; the manual's may be taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def first_words(lab, listener):
    """What QEMU says first on the next connection."""
    client = listener.accept()[0]
    lab.later(client.close)
    client.settimeout(10)
    return client.recv(4096)


def stop(process):
    """End a process that a case has started."""
    process.terminate()
    process.wait(10)


def unplug_and_wait(vm, name):
    """device_del, to its end."""
    vm.qmp.command("device_del", id=name)
    vm.qmp.wait_event("DEVICE_DELETED", device=name)
