# SPDX-License-Identifier: GPL-2.0-or-later
"""A way into a TLS port for a peer that speaks none, as socat would be."""

import select
import socket
import ssl
import threading


class Bridge:
    """A unix socket whose one client talks TLS to a port of this machine."""

    def __init__(self, path, port, certificates):
        self._port = port
        self._context = ssl.create_default_context(
            cafile=certificates / "ca-cert.pem")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self):
        """End the bridge."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self):
        try:
            plain = self._listener.accept()[0]
        except OSError:
            return                  # stopped before anyone came
        raw = socket.create_connection(("127.0.0.1", self._port))
        with plain, self._context.wrap_socket(
                raw, server_hostname="localhost") as secret:
            while _pass_on(plain, secret):
                pass


def _pass_on(plain, secret):
    """Carry what either side has said; false when one has ended."""
    ready = [secret]
    if not secret.pending():
        ready, _, _ = select.select([plain, secret], [], [])
    try:
        for side in ready:
            data = _receive(side)
            if data == b"":
                return False
            (secret if side is plain else plain).sendall(data or b"")
    except OSError:
        return False
    return True


def _receive(side):
    """What has come; None when it was of TLS's own."""
    side.settimeout(0)
    try:
        return side.recv(65536)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None
    finally:
        side.settimeout(10)
