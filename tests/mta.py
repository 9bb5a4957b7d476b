"""
A real mail server on loopback: exim4, for tests of what leaves this machine.

It takes mail by STARTTLS with a login, by TLS on connect with a login, on a
plain relay port, and from its sendmail program; refuses the local part
"reject", defers "tempfail", and ends a connection after three mails.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from pathlib import Path

from real import lack, need, need_root

DOMAIN = "mx.example"
USER = "firewall"
PASSWORD = "correct horse"
MAILS_PER_CONNECTION = 3
DEADLINE_SECONDS = 20

_EXIM = "/usr/sbin/exim4"
_OWNER = "Debian-exim"
_CONFIGURATION = """\
primary_hostname = {domain}
domainlist ours = {domain}
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/spool/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {plain} : {smtps}
tls_on_connect_ports = {smtps}
tls_advertise_hosts = ${{if eq{{$received_port}}{{{plain}}}{{}}{{*}}}}
tls_certificate = {home}/tls/server.pem
tls_privatekey = {home}/tls/server.key
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}{{}}}}
smtp_accept_max_per_connection = {limit}
smtp_accept_queue_per_connection = 0
rfc1413_query_timeout = 0s
host_lookup =
trusted_users = root
acl_smtp_rcpt = recipient
acl_not_smtp = accept
begin acl
recipient:
  deny local_parts = reject
       message = no such mailbox
  defer local_parts = tempfail
       message = come back later
  deny domains = !+ours
       message = not a relay
  accept condition = ${{if eq{{$received_port}}{{{plain}}}}}
  accept authenticated = *
         encrypted = *
  deny message = log in first
begin routers
every:
  driver = accept
  domains = +ours
  transport = into_maildir
begin transports
into_maildir:
  driver = appendfile
  directory = {home}/Maildir
  maildir_format
  envelope_to_add
  return_path_add
  user = {owner}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


class Exim:
    """
    A running exim4.

    Attributes:
        home: Its directory.
        authority: The certificate that its own was signed with.
        sendmail: Its sendmail program.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.authority = home / "tls" / "authority.pem"
        self.sendmail = home / "sendmail"
        self._maildir = home / "Maildir"
        self._ports = dict(zip(("starttls", "plain", "smtps"), free_ports(3), strict=True))
        self._configuration = home / "exim.conf"
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def starttls(self) -> str:
        """The STARTTLS port as ``mailserver:`` names it."""
        return f"smtp+starttls://127.0.0.1:{self._ports['starttls']}"

    @property
    def plain(self) -> str:
        """The relay port as ``mailserver:`` names it; offers no TLS."""
        return f"127.0.0.1:{self._ports['plain']}"

    @property
    def smtps(self) -> str:
        """The port with TLS on connect as ``mailserver:`` names it."""
        return f"smtps://127.0.0.1:{self._ports['smtps']}"

    def install(self) -> None:
        """Write what it needs to run."""
        for part in ("spool", "log", "tls"):
            (self.home / part).mkdir()
        _certify(self.home / "tls")
        values = {"domain": DOMAIN, "limit": MAILS_PER_CONNECTION, "owner": _OWNER}
        self._configuration.write_text(
            _CONFIGURATION.format(
                home=self.home, user=USER, password=PASSWORD, **values, **self._ports
            )
        )
        self.sendmail.write_text(f'#!/bin/sh\nexec {_EXIM} -C {self._configuration} "$@"\n')
        self.sendmail.chmod(0o755)
        self.home.chmod(0o755)
        owner = pwd.getpwnam(_OWNER)
        for path in (self.home, *self.home.rglob("*")):
            if path != self._configuration:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        """Begin to listen."""
        self._daemon = subprocess.Popen(
            [_EXIM, "-C", self._configuration, "-bdf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in self._ports.values():
            _until(partial(_answers, port), f"exim4 listens on {port}")

    def stop(self) -> None:
        """Listen no more."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(DEADLINE_SECONDS)
            self._daemon = None

    def received(self) -> list[EmailMessage]:
        """Take out what was delivered since the last call, once nothing is on its way."""
        _until(lambda: self._ask("-bpc") == "0", "exim4's queue is empty")
        parser = BytesParser(policy=policy.default)
        mails = []
        for path in sorted((self._maildir / "new").glob("*")):
            mails.append(parser.parsebytes(path.read_bytes()))
            path.unlink()
        return mails

    def _ask(self, option: str) -> str:
        command = [_EXIM, "-C", self._configuration, option]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def running_exim() -> Iterator[Exim]:
    """Run a real exim4 while the block runs; skip the test where that can't be."""
    need("exim4", "openssl")
    need_root()
    try:
        pwd.getpwnam(_OWNER)
    except KeyError:
        lack(f"the user {_OWNER} (Debian package exim4-base)")
    # Not pytest's: exim's own user has to get in.
    home = Path(tempfile.mkdtemp(prefix="botalert-mta-"))
    server = Exim(home)
    try:
        server.install()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


def free_ports(number: int) -> list[int]:
    """Find ports of 127.0.0.1 on which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.02)


def _certify(directory: Path) -> None:
    """Make an authority and a certificate of it for 127.0.0.1."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    _openssl(
        directory, "req", "-x509", *key, "-subj", "/CN=authority for a test",
        # Python 3.13 holds certificates to RFC 5280 to the letter.
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", "authority.key", "-out", "authority.pem",
    )  # fmt: skip
    _openssl(
        directory, "req", "-x509", *key, "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE",
        "-addext", "authorityKeyIdentifier=keyid", "-addext", "keyUsage=critical,digitalSignature",
        "-CA", "authority.pem", "-CAkey", "authority.key",
        "-keyout", "server.key", "-out", "server.pem",
    )  # fmt: skip


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
