# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels: where they are found, and what is refused."""

import struct
import subprocess

import pytest

from usblab import kernels
from usblab.errors import Problem
from usblab.kernels import config, debian, files, image, kernel, layout
from usblab.kernels.modules import Modules

PVH = struct.pack("<III", 4, 8, 18) + b"Xen\0" + bytes(8)


def elf(machine=image.X86_64, notes=PVH):
    """As much of a vmlinux as is looked at."""
    head = image.ELF + bytes(14) + machine.to_bytes(2, "little")
    return head.ljust(64, b"\0") + b"Linux version 6.9.1-test (gcc) " + notes


def bzimage(release=b"6.9.1-test (someone) #1"):
    data = bytearray(4096)
    data[0x202:0x206] = b"HdrS"
    data[0x20e:0x210] = (0x300).to_bytes(2, "little")
    data[0x236:0x238] = (1).to_bytes(2, "little")
    data[0x500:0x500 + len(release)] = release
    return bytes(data)


def module(*aliases, depends=""):
    words = [f"alias={alias}" for alias in aliases] + [f"depends={depends}"]
    return b"\x7fELF\0" + b"".join(f"{w}\0".encode() for w in words)


@pytest.fixture(name="own")
def own_folder(tmp_path, monkeypatch):
    """What is made for a kernel is made here."""
    monkeypatch.setattr(files, "KERNELS", tmp_path / "kernels")
    return tmp_path


def built(folder):
    """A build tree of a kernel with one module."""
    (folder / "arch/x86/boot").mkdir(parents=True)
    (folder / "arch/x86/boot/bzImage").write_bytes(bzimage())
    (folder / "drivers/usb").mkdir(parents=True)
    (folder / "drivers/usb/usbcore.ko").write_bytes(module())
    (folder / ".config").write_text(
        "CONFIG_BLK_DEV_INITRD=y\nCONFIG_DEVTMPFS=y\nCONFIG_USB=m\n"
        "CONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_VIRTIO_PCI=y\n"
        "CONFIG_VIRTIO_CONSOLE=y\n")
    (folder / "modules.builtin").write_text(
        "kernel/drivers/virtio/virtio_pci.ko\n"
        "kernel/drivers/char/virtio_console.ko\n")
    return folder


def find(spec):
    return kernels.find(str(spec))[0].get()


def test_a_build_tree_is_a_kernel(own):
    found = kernels.check(find(built(own / "linux")))
    assert found.release == "6.9.1-test"
    assert found.modules.has("usbcore") and found.modules.has("virtio-pci")
    assert found.config.get("USB") == "m"


def test_a_tree_that_is_not_built_is_said_to_be_so(own):
    (own / "Makefile").write_text("")
    with pytest.raises(Problem, match="not built there"):
        kernels.find(str(own))


def test_a_vmlinux_with_pvh_is_started_as_it_is(own):
    (own / "vmlinux").write_bytes(elf())
    found = find(own / "vmlinux")
    assert found.image == own / "vmlinux" and found.release == "6.9.1-test"


def test_a_path_may_be_relative(own, monkeypatch):
    (own / "vmlinux").write_bytes(elf())
    monkeypatch.chdir(own)
    assert find("vmlinux").image == (own / "vmlinux").resolve()


def test_a_vmlinux_without_pvh_is_refused(own):
    (own / "vmlinux").write_bytes(elf(notes=b""))
    with pytest.raises(Problem, match="CONFIG_PVH is not set"):
        find(own / "vmlinux")


def test_an_image_takes_its_modules_after_a_colon(own):
    (own / "bzImage").write_bytes(bzimage())
    (own / "mods").mkdir()
    (own / "mods/usbcore.ko").write_bytes(module())
    assert find(f"{own}/bzImage:{own}/mods").modules.has("usbcore")


@pytest.mark.parametrize("content, processor", [
    (elf(machine=183), "ARM64"), (elf(machine=243), "RISC-V"),
    (bytes(56) + b"ARM\x64", "ARM64"), (elf(machine=3), "32-bit x86"),
    (elf(machine=999), "the ELF machine 999")])
def test_a_kernel_for_another_processor_is_refused(own, content, processor):
    (own / "image").write_bytes(content)
    with pytest.raises(Problem, match=f"for {processor}"):
        find(own / "image")


@pytest.mark.parametrize("content", [b"", b"MZ", b"# a script\n" * 100])
def test_what_is_no_kernel_is_refused(own, content):
    (own / "image").write_bytes(content)
    with pytest.raises(Problem, match="is no kernel"):
        find(own / "image")


@pytest.mark.parametrize("spec, complaint", [
    ("/nowhere/bzImage", "no such file"),
    ("/nowhere/linux.deb", "no such file"),
    ("/:/nowhere", "no modules at /nowhere"),
    ("http://example.org/linux", "names no kernel"), ("", "names no kernel")])
def test_a_kernel_that_is_not_there_is_one_line(spec, complaint):
    with pytest.raises(Problem, match=complaint):
        kernels.find(spec)


def test_a_folder_without_a_kernel_is_refused(own):
    with pytest.raises(Problem, match="no kernel in"):
        kernels.find(str(own))


def deb(folder, architecture, tree):
    """A Debian package made here; its file's name."""
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: linux-image-test\nVersion: 1\nArchitecture: {architecture}"
        "\nMaintainer: nobody <nobody@localhost>\nDescription: test\n")
    path = folder / f"{architecture}.deb"
    subprocess.run(["dpkg-deb", "-b", tree, path], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def package_tree(root, image_name, modules, config_name):
    for name, content in ((image_name, bzimage()), (config_name, b""),
                          (f"{modules}/kernel/usbcore.ko", module())):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.mark.parametrize("names", [
    ("boot/vmlinuz-6.9.1", "lib/modules/6.9.1", "boot/config-6.9.1"),
    ("boot/vmlinuz-6.9.1", "usr/lib/modules/6.9.1", "boot/config-6.9.1"),
    ("usr/lib/modules/6.9.1/vmlinuz", "usr/lib/modules/6.9.1",
     "usr/lib/modules/6.9.1/config")])
def test_each_layout_of_packages_is_understood(own, names):
    root = package_tree(own / "root", *names)
    found = layout.kernel("test", root, own)
    assert found.release == "6.9.1" and found.modules.has("usbcore")
    assert found.config_path == root / names[2]


def test_a_package_file_is_unpacked(own):
    tree = package_tree(own / "tree", "boot/vmlinuz-6.9.1",
                        "lib/modules/6.9.1", "boot/config-6.9.1")
    assert find(deb(own, "amd64", tree)).release == "6.9.1"


def test_a_package_for_another_architecture_is_refused(own):
    path = deb(own, "arm64", own / "tree")
    with pytest.raises(Problem, match="is for arm64"):
        kernels.find(str(path))


def test_a_file_that_is_no_package_is_refused(own):
    (own / "x.deb").write_text("not a package")
    with pytest.raises(Problem, match="is no Debian package"):
        kernels.find(str(own / "x.deb"))


def with_config(own, text):
    path = own / "config"
    path.write_text(text)
    return kernel.Kernel("test", "6.9", own / "vmlinux", None, path, own)


def test_a_kernel_without_usb_is_refused_by_the_option(own):
    with pytest.raises(Problem, match="no USB: CONFIG_USB is not set"):
        kernels.check(with_config(own, "CONFIG_DEVTMPFS=y\n"))


def test_what_the_guest_needs_is_named_by_its_option(own):
    with pytest.raises(Problem, match="CONFIG_DEVTMPFS, "
                       "CONFIG_SERIAL_8250_CONSOLE, CONFIG_VIRTIO_PCI"):
        kernels.check(with_config(
            own, "CONFIG_USB=y\nCONFIG_BLK_DEV_INITRD=y\n"))


@pytest.mark.parametrize("driver, name", [
    ("usbhid", "USB_HID"), ("usb-storage", "USB_STORAGE"),
    ("cdc_acm", "USB_ACM"), ("hid-lenovo", "HID_LENOVO"), ("fancy", None)])
def test_the_option_of_a_driver(driver, name):
    assert config.option(driver) == name


def test_the_configuration_inside_an_image_is_read():
    import gzip
    text = gzip.compress(b"CONFIG_USB=y\n")
    assert config.embedded(b"xx" + b"IKCFG_ST" + text + b"IKCFG_ED") == \
        "CONFIG_USB=y\n"


def test_modules_come_after_what_they_need(tmp_path):
    for name, needs in (("usbcore", ""), ("usb-storage", "usbcore,scsi_mod"),
                        ("scsi_mod", "")):
        (tmp_path / f"{name}.ko").write_bytes(module(depends=needs))
    assert Modules(tmp_path).resolve(["usb_storage"]) == [
        "usbcore", "scsi_mod", "usb_storage"]


def test_aliases_of_usb_and_hid_drivers_are_found_and_kept(tmp_path):
    root = tmp_path / "lib/modules/6.9"
    (root / "kernel").mkdir(parents=True)
    (root / "kernel/usblp.ko").write_bytes(module("usb:v*p*d*ic07isc01*"))
    (root / "kernel/e1000.ko").write_bytes(module("pci:v00008086d*"))
    modules, cache = Modules(root), tmp_path / "aliases.json"
    found = modules.aliases(cache)
    assert found == {"usblp": ["usb:v*p*d*ic07isc01*"]}
    (root / "kernel/usblp.ko").unlink()
    assert modules.aliases(cache) == found


PACKAGES = {
    "bookworm": [debian.Package("6.1.0-47", "6.1.170-3", "bookworm"),
                 debian.Package("6.1.0-50", "6.1.176-1", "bookworm")],
    "trixie": [debian.Package("6.12.107+deb13", "6.12.107-1", "trixie"),
               debian.Package("6.12.9+deb13", "6.12.9-1", "trixie")],
}


@pytest.fixture(name="archive")
def debian_archive(own, monkeypatch):
    monkeypatch.setattr(debian, "packages", lambda suite:
                        PACKAGES.get(suite, []))


@pytest.mark.parametrize("wanted, releases", [
    ("bookworm", ["6.1.0-50-amd64"]), ("6.1.176", ["6.1.0-50-amd64"]),
    ("6.1.0-47", ["6.1.0-47-amd64"]),
    ("6.12.*", ["6.12.9+deb13-amd64", "6.12.107+deb13-amd64"]),
    ("6.12.107", ["6.12.107+deb13-amd64"])])
@pytest.mark.usefixtures("archive")
def test_debian_kernels_by_suite_version_and_pattern(wanted, releases):
    assert [one.name for one in kernels.find(f"debian:{wanted}")] == releases


@pytest.mark.parametrize("wanted", ["9.9.9", "sid", "6.12"])
@pytest.mark.usefixtures("archive")
def test_a_kernel_that_debian_does_not_have_is_one_line(wanted):
    with pytest.raises(Problem, match="no kernel"):
        kernels.find(f"debian:{wanted}")


@pytest.mark.parametrize("name, good", [
    ("linux-image-6.1.0-50-amd64", True),
    ("linux-image-6.12.57+deb12-amd64", True),
    ("linux-image-6.12.90+deb12.1-amd64", True),
    ("linux-image-6.12.57+deb12-cloud-amd64", False),
    ("linux-image-6.1.0-50-rt-amd64", False),
    ("linux-image-6.1.0-50-amd64-dbg", False),
    ("linux-image-amd64", False)])
def test_only_the_generic_flavour_counts(name, good):
    assert bool(debian.IMAGE.fullmatch(name)) is good
