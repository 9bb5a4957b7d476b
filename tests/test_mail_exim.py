"""Alerts through a real mail server, by the real command line."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from installation import RECIPIENTS, SMTP_SIGNAL, Installation, packet_line
from mta import MAILS_PER_CONNECTION, PASSWORD, USER, Exim, free_ports, running_exim

from botalert.config.mailserver import MailServer
from botalert.mail import ServerDownError
from botalert.mail.sendmail import SendmailTransport
from botalert.mail.smtp import SmtpTransport

EVERYONE = {
    "From": '"Müller, the firewall" <firewall@mx.example>',
    "To": '"Jürgen, \\"root\\" (3. OG)" <admin@mx.example>, root@mx.example',
    "Cc": "日本語 <copy@mx.example>",
    "Bcc": "hidden@mx.example",
}
ENVELOPES = ["admin@mx.example", "copy@mx.example", "hidden@mx.example", "root@mx.example"]
WAYS = ("starttls", "smtps", "plain", "sendmail")


@pytest.fixture(scope="session")
def server() -> Iterator[Exim]:
    with running_exim() as exim:
        yield exim


@pytest.fixture
def exim(server: Exim) -> Exim:
    server.received()
    return server


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def configure(site: Installation, exim: Exim, way: str = "starttls", **more: Any) -> None:
    """Send by *way*, with a login where that is wanted."""
    password = site.home / "password"
    if not password.exists():
        password.write_text(f"{PASSWORD}\n")
    login = {"mailuser": USER, "mailpasswordfile": str(password)}
    mailserver = f"sendmail:{exim.sendmail}" if way == "sendmail" else getattr(exim, way)
    site.configure(mailserver, **(login if way in ("starttls", "smtps") else {}), **more)


def run(site: Installation, exim: Exim) -> tuple[int, list[str]]:
    return site.run(SSL_CERT_FILE=str(exim.authority))


def sources(mails: list[EmailMessage]) -> list[str]:
    return sorted(mail["Subject"].split()[1] for mail in mails)


def kept(site: Installation, alerts: str = "1 alert") -> str:
    return f"{alerts} kept in {site.statefile}; the next run tries again."


@pytest.mark.parametrize("way", WAYS)
def test_alert_arrives_whole_at_everyone(site: Installation, exim: Exim, way: str) -> None:
    """Every recipient gets the alert with its headers and both parts; nobody sees the Bcc."""
    configure(site, exim, way, recipients=EVERYONE)
    site.see("192.168.1.10")
    assert run(site, exim) == (0, [])
    mails = exim.received()
    assert sorted(mail["Envelope-to"] for mail in mails) == ENVELOPES
    for mail in mails:
        sender, to, cc = (mail[name].addresses for name in ("From", "To", "Cc"))
        assert [(box.display_name, box.addr_spec) for box in sender] == [
            ("Müller, the firewall", "firewall@mx.example")
        ]
        assert [(box.display_name, box.addr_spec) for box in to] == [
            ('Jürgen, "root" (3. OG)', "admin@mx.example"),
            ("", "root@mx.example"),
        ]
        assert [(box.display_name, box.addr_spec) for box in cc] == [("日本語", "copy@mx.example")]
        headers = "".join(f"{name}: {value}\n" for name, value in mail.items())
        assert "hidden" not in headers.replace(f"Envelope-to: {mail['Envelope-to']}", "")
        assert "Bcc" not in mail
        assert "hidden" not in mail.get_body(("plain",)).get_content()
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"] == ("[botalert] 192.168.1.10 set off smtp: 1 packet to 1 address")
        assert re.fullmatch(r"<[0-9a-f-]{36}\.botalert@mx\.example>", mail["Message-ID"])
        assert parsedate_to_datetime(mail["Date"]).tzinfo is not None
        line = packet_line("192.168.1.10").strip()
        assert line in mail.get_body(("plain",)).get_content()
        assert line in mail.get_body(("html",)).get_content()
    if way != "sendmail":
        assert {mail["Return-path"] for mail in mails} == {"<firewall@mx.example>"}
    assert site.alerts() == {"192.168.1.10": "sent"}


def test_sendmail_reads_the_recipients_from_the_headers(site: Installation, exim: Exim) -> None:
    """Without a Bcc the program is called with -i -t, and everyone named gets the mail."""
    said = site.home / "arguments"
    program = site.home / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" >{said}\nexec {exim.sendmail} "$@"\n')
    program.chmod(0o755)
    site.configure(
        f"sendmail:{program}", recipients={**RECIPIENTS, "Cc": "copy@mx.example", "Bcc": ""}
    )
    site.see("192.168.1.10")
    assert run(site, exim) == (0, [])
    assert said.read_text() == "-i -t\n"
    envelopes = sorted(mail["Envelope-to"] for mail in exim.received())
    assert envelopes == ["admin@mx.example", "copy@mx.example"]


def test_more_alerts_than_a_connection_takes_arrive_once(site: Installation, exim: Exim) -> None:
    """Where the server ends the connection after some mails, a new one takes the rest."""
    machines = [f"192.168.1.{n}" for n in range(10, 10 + 2 * MAILS_PER_CONNECTION + 2)]
    configure(site, exim)
    site.see(*machines)
    assert run(site, exim) == (0, [])
    mails = exim.received()
    assert sources(mails) == sorted(machines)
    assert len({mail["Message-ID"] for mail in mails}) == len(machines)
    assert set(site.alerts().values()) == {"sent"}


REFUSALS = {
    "550": ("reject", "reject@mx.example: 550 no such mailbox"),
    "451": ("tempfail", "tempfail@mx.example: 451 come back later"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_refused_alert_waits_and_goes_with_the_same_message_id(
    site: Installation, exim: Exim, code: str
) -> None:
    """Refused or deferred for everyone: one line, status 75, kept, and sent once when mended."""
    local_part, said = REFUSALS[code]
    configure(site, exim, recipients={**RECIPIENTS, "To": f"{local_part}@mx.example"})
    site.see("192.168.1.10", "192.168.1.11")
    place = exim.starttls.removeprefix("smtp+starttls://")
    verb, remedy = (
        ("refused", "Look at [recipients].")
        if code == "550"
        else ("deferred", "It may take it later.")
    )
    told = f"botalert: {place}: {verb} every recipient: {said}. {remedy} "
    assert run(site, exim) == (75, [told + kept(site, "2 alerts")])
    assert exim.received() == []
    assert site.alerts() == {"192.168.1.10": "pending", "192.168.1.11": "pending"}
    waiting = message_ids(site)
    configure(site, exim)
    assert run(site, exim) == (0, [])
    assert {mail["Message-ID"] for mail in exim.received()} == waiting
    assert run(site, exim) == (0, [])
    assert exim.received() == []


def message_ids(site: Installation) -> set[str]:
    """Tell which Message-IDs wait: by a run that delivers into a file, on a copy of the state."""
    copy = Installation(_made(site.home / "copy"))
    _made(copy.statefile.parent)
    copy.statefile.write_bytes(site.statefile.read_bytes())
    assert copy.run() == (0, [])
    return {mail["Message-ID"] for mail in copy.mails()}


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_recipients_of_a_signal_replace_the_others(site: Installation, exim: Exim) -> None:
    """To, Cc and Bcc alike, on the envelope and in the headers."""
    to_one = f"{SMTP_SIGNAL['smtp']}\nto: one@mx.example, two@mx.example"
    configure(
        site,
        exim,
        recipients={**RECIPIENTS, "Cc": "cc@mx.example", "Bcc": "bcc@mx.example"},
        signals={"smtp": to_one},
    )
    site.see("192.168.1.10")
    assert run(site, exim) == (0, [])
    mails = exim.received()
    envelopes = ", ".join(mail["Envelope-to"] for mail in mails)
    assert set(envelopes.split(", ")) == {"one@mx.example", "two@mx.example"}
    headers = {(mail["To"], mail["Cc"]) for mail in mails}
    assert headers == {("one@mx.example, two@mx.example", None)}


def test_partly_refused_alert_is_sent_and_told(site: Installation, exim: Exim) -> None:
    """Where some recipients are refused the others get the alert, it is told, and that is all."""
    configure(site, exim, recipients={**RECIPIENTS, "To": "admin@mx.example, reject@mx.example"})
    site.see("192.168.1.10", "192.168.1.11")
    told = (
        "botalert: reject@mx.example: was refused (550 no such mailbox) for 2 alerts that the "
        "others got. Correct [recipients], or to: of the signal."
    )
    assert run(site, exim) == (0, [told])
    assert [mail["Envelope-to"] for mail in exim.received()] == ["admin@mx.example"] * 2
    assert run(site, exim) == (0, [])
    assert exim.received() == []


def test_untrusted_certificate_keeps_the_alert(site: Installation, exim: Exim) -> None:
    """A certificate of an authority that nobody trusts ends the dialogue, told once."""
    for way in ("starttls", "smtps"):
        configure(site, exim, way)
        site.see("192.168.1.10")
        status, told = site.run(SSL_CERT_FILE="")
        assert status == 75
        (line,) = told
        place = getattr(exim, way).partition("://")[2]
        assert line.startswith(f"botalert: {place}: its certificate is not to be trusted: ")
        assert line.endswith(f"add its CA to the system's. {kept(site)}")
    assert site.alerts() == {"192.168.1.10": "pending"}
    assert run(site, exim) == (0, [])
    assert sources(exim.received()) == ["192.168.1.10"]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("guess", "refused the login of 'firewall': 535 Incorrect authentication data"),
        ("schlüssel", "the login has a character outside ASCII, which smtplib cannot send"),
    ],
)
def test_wrong_password_keeps_the_alert(
    site: Installation, exim: Exim, password: str, said: str
) -> None:
    """A login that is refused, or cannot even be written, keeps the alert."""
    (site.home / "password").write_text(password)
    configure(site, exim)
    site.see("192.168.1.10", "192.168.1.11")
    status, (line,) = run(site, exim)
    assert status == 75
    assert said in line
    assert line.endswith(kept(site, "2 alerts"))
    (site.home / "password").unlink()
    configure(site, exim)
    assert run(site, exim) == (0, [])
    assert sources(exim.received()) == ["192.168.1.10", "192.168.1.11"]


def test_lost_password_file_is_a_fault_of_the_configuration(site: Installation, exim: Exim) -> None:
    """A password file that is not there names itself, and nothing is begun."""
    configure(site, exim)
    (site.home / "password").unlink()
    site.see("192.168.1.10")
    status, (line,) = run(site, exim)
    assert status == 78
    assert f"mailpasswordfile: '{site.home / 'password'}' cannot be read" in line
    assert not site.statefile.exists()


def test_dead_port_keeps_the_alerts(site: Installation, exim: Exim) -> None:
    """Nobody listens: one line for all the alerts, and they go when somebody does."""
    (port,) = free_ports(1)
    site.configure(f"127.0.0.1:{port}")
    site.see("192.168.1.10", "192.168.1.11", "192.168.1.12")
    told = (
        f"botalert: 127.0.0.1:{port}: Connection refused. "
        f"Look at mailserver: and whether it runs. {kept(site, '3 alerts')}"
    )
    assert run(site, exim) == (75, [told])
    assert set(site.alerts().values()) == {"pending"}
    configure(site, exim, "plain")
    assert run(site, exim) == (0, [])
    assert sources(exim.received()) == ["192.168.1.10", "192.168.1.11", "192.168.1.12"]


def test_login_is_never_sent_in_clear(site: Installation, exim: Exim) -> None:
    """STARTTLS asked for but not offered is an error, not a reason to go without."""
    configure(site, exim)
    site.configure(
        exim.starttls.partition("://")[0] + "://" + exim.plain,
        mailuser=USER,
        mailpasswordfile=str(site.home / "password"),
    )
    site.see("192.168.1.10")
    told = (
        f"botalert: {exim.plain}: STARTTLS extension not supported by server. "
        f"Look at mailserver: and whether it runs. {kept(site)}"
    )
    assert run(site, exim) == (75, [told])
    assert exim.received() == []


Dialogue = Callable[[socket.socket], None]


@contextmanager
def rude_server(dialogue: Dialogue) -> Iterator[str]:
    """Listen as a server that does *dialogue* with each client, then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                dialogue(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says_nothing(connection: socket.socket) -> None:
    """Hang up before the greeting."""


def breaks_off_after_data(connection: socket.socket, answer: bytes = b"") -> None:
    """Take the whole mail, say *answer*, and hang up."""
    stream = connection.makefile("rwb")
    stream.write(b"220 rude\r\n")
    stream.flush()
    for line in stream:
        data = line.upper() == b"DATA\r\n"
        stream.write(b"354 go on\r\n" if data else b"250 fine\r\n")
        stream.flush()
        if data:
            while stream.readline() not in (b".\r\n", b""):
                pass
            connection.sendall(answer)
            return


@pytest.mark.parametrize(
    ("dialogue", "said"),
    [
        (
            says_nothing,
            "Connection unexpectedly closed. Look at mailserver: and whether it runs. ",
        ),
        (
            breaks_off_after_data,
            "broke off: Connection unexpectedly closed. Look at its log. ",
        ),
    ],
)
def test_server_that_hangs_up_keeps_the_alerts(
    site: Installation, exim: Exim, dialogue: Dialogue, said: str
) -> None:
    """A server that hangs up is told of in one line, and its alerts go with the next run."""
    site.see("192.168.1.10", "192.168.1.11")
    with rude_server(dialogue) as place:
        site.configure(place)
        told = f"botalert: {place}: {said}{kept(site, '2 alerts')}"
        assert run(site, exim) == (75, [told])
    configure(site, exim)
    assert run(site, exim) == (0, [])
    assert sources(exim.received()) == ["192.168.1.10", "192.168.1.11"]


def test_sendmail_that_fails_keeps_the_alert(site: Installation, exim: Exim) -> None:
    """What the program said last is told, and its status."""
    program = site.home / "sendmail"
    program.write_text("#!/bin/sh\necho no space in the spool >&2\nexit 75\n")
    program.chmod(0o755)
    site.configure(f"sendmail:{program}")
    site.see("192.168.1.10")
    told = (
        f"botalert: sendmail:{program}: ended with status 75: no space in the spool. "
        f"Look at [recipients] and at the mail server's log. {kept(site)}"
    )
    assert run(site, exim) == (75, [told])
    configure(site, exim, "sendmail")
    assert run(site, exim) == (0, [])
    assert sources(exim.received()) == ["192.168.1.10"]


def test_missing_sendmail_is_unavailable(site: Installation) -> None:
    """Without the program: status 69, the alert kept."""
    program = site.home / "nothing"
    site.configure(f"sendmail:{program}")
    site.see("192.168.1.10")
    told = (
        f"botalert: sendmail:{program}: cannot be run: No such file or directory. "
        f"Install a mail server, or name another way in mailserver:. {kept(site)}"
    )
    assert site.run() == (69, [told])
    assert site.alerts() == {"192.168.1.10": "pending"}
    done = site.botalert("test-mail")
    assert (done.returncode, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("way", WAYS)
def test_test_mail_sends_a_sample(site: Installation, exim: Exim, way: str) -> None:
    """The sample says that it is one, goes the configured way, and is not remembered."""
    configure(site, exim, way)
    done = site.botalert("test-mail", SSL_CERT_FILE=str(exim.authority))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("a sample alert went to admin@mx.example by ")
    (mail,) = exim.received()
    named = "[sample] [botalert] sample.example.org (192.0.2.10) set off smtp: "
    assert mail["Subject"].startswith(named)
    assert "THIS IS A SAMPLE" in mail.get_body(("plain",)).get_content()
    assert not site.statefile.exists()


@pytest.mark.parametrize("code", REFUSALS)
def test_test_mail_tells_of_a_refusal(site: Installation, exim: Exim, code: str) -> None:
    """Refused or deferred: 75 and one line that quotes the server."""
    local_part, said = REFUSALS[code]
    configure(site, exim, recipients={**RECIPIENTS, "To": f"{local_part}@mx.example"})
    done = site.botalert("test-mail", SSL_CERT_FILE=str(exim.authority))
    assert (done.returncode, done.stdout) == (75, "")
    (line,) = done.stderr.splitlines()
    assert said in line


def test_test_mail_tells_that_the_server_is_down(site: Installation, exim: Exim) -> None:
    """A dead port: 75 and one line."""
    (port,) = free_ports(1)
    site.configure(f"127.0.0.1:{port}")
    done = site.botalert("test-mail")
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == (
        f"botalert: 127.0.0.1:{port}: Connection refused. "
        "Look at mailserver: and whether it runs.\n"
    )


BROKEN_TEMPLATES = {
    "syntax": "first\n{% if %}\n",
    "undefined": "first\n{{ packtes }}\n",
    "raising": "first\n{{ 1 / 0 }}\n",
}


@pytest.mark.parametrize(
    ("kind", "fault"), [("subject", "syntax"), ("txt", "undefined"), ("html", "raising")]
)
def test_template_with_an_error_holds_up_its_own_alerts_only(
    site: Installation, exim: Exim, kind: str, fault: str
) -> None:
    """The line names the file and line; other signals' alerts go on; mended, it is sent."""
    site.templates.mkdir()
    broken = site.templates / f"telnet.{kind}"
    broken.write_text(BROKEN_TEMPLATES[fault])
    telnet = {"telnet": "IN: eth1\nPROTO: TCP\nDPT: 23\ntemplate: telnet"}
    configure(site, exim, "plain", signals={**telnet, **SMTP_SIGNAL})
    site.see("192.168.1.10", port=23)
    site.see("192.168.1.11")
    status, (line,) = run(site, exim)
    assert status == 75
    assert line.startswith(f"botalert: {broken}:2: the template has an error: ")
    assert line.endswith(kept(site))
    assert sources(exim.received()) == ["192.168.1.11"]
    assert site.alerts() == {"192.168.1.10": "pending", "192.168.1.11": "sent"}
    broken.write_text("mended 192.168.1.10")
    assert run(site, exim) == (0, [])
    (mail,) = exim.received()
    assert "192.168.1.10" in mail["Subject"]


def test_own_templates_go_before_the_shipped_ones(site: Installation, exim: Exim) -> None:
    """A file of the same name replaces a shipped one; a set replaces only what it has."""
    site.templates.mkdir()
    (site.templates / "alert.subject").write_text("own words about {{ source }}")
    (site.templates / "loud.subject").write_text("LOUD words about {{ source }}")
    telnet = {"telnet": "IN: eth1\nPROTO: TCP\nDPT: 23\ntemplate: loud"}
    configure(site, exim, "plain", signals={**SMTP_SIGNAL, **telnet})
    site.see("192.168.1.10", port=23)
    site.see("192.168.1.11")
    assert run(site, exim) == (0, [])
    mails = sorted(exim.received(), key=lambda mail: mail["Subject"])
    assert [mail["Subject"] for mail in mails] == [
        "LOUD words about 192.168.1.10",
        "own words about 192.168.1.11",
    ]
    for mail in mails:
        assert "set off the signal" in mail.get_body(("plain",)).get_content()


def test_hostile_evidence_arrives_harmless(site: Installation, exim: Exim) -> None:
    """Escape sequences, HTML, line tricks and reordered text are shown, not obeyed."""
    configure(site, exim)
    hostile = "\x1b[2J\x07<script>alert(1)</script>\u202eevil\u2028 Bcc: x@mx.example\r\x85é:"
    site.see("192.168.1.10", prefix=hostile)
    site.append(packet_line("192.168.1.10", prefix="x" * 1_000_000))
    assert run(site, exim) == (0, [])
    (mail,) = exim.received()
    assert all(line.isascii() and len(line) <= 998 for line in str_lines(mail))
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    for part in (text, html):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", part)
        assert r"\x1b[2J\x07" in part
        assert r"\u202eevil" in part
        assert "é:" in part
    assert "<script>alert(1)</script>" in text
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "Bcc" not in mail
    assert len(text) < 10_000


def str_lines(mail: EmailMessage) -> list[str]:
    return mail.as_bytes().decode("ascii", "surrogateescape").splitlines()


def greets_in_clear(connection: socket.socket) -> None:
    """Greet a client that wants TLS."""
    connection.sendall(b"220 rude\r\n")
    connection.recv(4096)


def test_tls_asked_of_a_server_without_it_keeps_the_alert(site: Installation) -> None:
    """A server that answers TLS in clear is one line, and the alert is kept."""
    with rude_server(greets_in_clear) as place:
        site.configure(f"smtps://{place}")
        site.see("192.168.1.10")
        status, (line,) = site.run()
    assert status == 75
    assert line.startswith(f"botalert: {place}: ")
    assert "TLS" in line or "SSL" in line
    assert line.endswith(kept(site))
    assert site.alerts() == {"192.168.1.10": "pending"}


def test_maildir_is_for_its_owner_alone_whatever_the_umask(site: Installation) -> None:
    """Its parents are for the group to look into, as all that is made on the way."""
    maildir = site.home / "p" / "q" / "Maildir"
    site.configure(f"maildir:{maildir}/")
    site.see("192.168.1.10")
    done = subprocess.run(
        ["bash", "-c", 'umask 0; exec "$@"', "bash", *site.command("run")], cwd=ROOT, check=True
    )
    assert done.returncode == 0
    (mail,) = (maildir / "new").iterdir()
    made = dict.fromkeys((maildir, *(maildir / part for part in ("tmp", "new", "cur"))), 0o700)
    made |= {maildir.parent: 0o750, maildir.parent.parent: 0o750, mail: 0o600}
    assert {path: path.stat().st_mode & 0o7777 for path in made} == made


def sendmail_program(site: Installation, text: str) -> Path:
    """Write a program in sh that stands in for sendmail."""
    program = site.home / "sendmail"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def test_sendmail_that_leaves_a_child_behind_has_taken_the_mail(site: Installation) -> None:
    """A queue runner may hold the output for as long as it likes."""
    child = site.home / "child"
    program = sendmail_program(site, f"cat >/dev/null\nsleep 60 &\necho $! >{child}")
    site.configure(f"sendmail:{program}")
    site.see("192.168.1.10")
    with (site.home / "told").open("w") as told:
        done = subprocess.run(
            site.command("run"), cwd=ROOT, stdout=told, stderr=told, check=False, timeout=30
        )
    os.kill(int(child.read_text()), signal.SIGKILL)
    assert (done.returncode, (site.home / "told").read_text()) == (0, "")
    assert site.alerts() == {"192.168.1.10": "sent"}


def test_sendmail_that_hangs_is_down(site: Installation) -> None:
    """The other alerts don't wait for it as long, each."""
    program = sendmail_program(site, "exec sleep 60")
    transport = SendmailTransport(str(program), timeout_seconds=0.2)
    with pytest.raises(ServerDownError, match=r"did not end within 0\.2 s\. Look at"):
        transport.send(EmailMessage(), "a@mx.example", ["b@mx.example"])


def answering(answers: dict[bytes, bytes]) -> Dialogue:
    """Be a server that answers commands so, and everything else with 250."""

    def dialogue(connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        stream.write(answers.get(b"", b"220 rude") + b"\r\n")
        stream.flush()
        for line in stream:
            stream.write(answers.get(line[:4].upper(), b"250 fine") + b"\r\n")
            stream.flush()

    return dialogue


HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n\x1b[2J"


@pytest.mark.parametrize(
    ("answers", "told", "alerts"),
    [
        ({b"MAIL": b"451 wait"}, "deferred the sender firewall@mx.example: 451 wait. {later}", 2),
        ({b"MAIL": b"550 no"}, "refused the sender firewall@mx.example: 550 no. Look at From:", 2),
        ({b"DATA": b"452 full"}, "deferred the mail: 452 full. {later}", 2),
        ({b"RCPT": b"421 bye"}, "broke off at every recipient: admin@mx.example: 421 bye.", 2),
        ({b"DATA": b"421 bye"}, "broke off at the mail: 421 bye. {later}", 2),
        ({b"": b"421 busy"}, "421 busy. {later}", 2),
        ({b"": b"554 no"}, "554 no. Look at mailserver: and whether it runs.", 2),
        ({b"": HTTP}, "its answer is not SMTP. Look at mailserver: and whether it runs.", 2),
        ({b"": b"SSH-2.0-OpenSSH_9.2"}, "its answer is not SMTP. Look at mailserver:", 2),
        ({b"": b"554 " + b"x" * 5000}, "554 " + "x" * 296 + ". Look at mailserver:", 2),
    ],
)
def test_answer_is_told_with_what_can_be_done(
    site: Installation, answers: dict[bytes, bytes], told: str, alerts: int
) -> None:
    """What may pass by itself is no fault of the configuration; one line for all alerts."""
    site.see("192.168.1.10", "192.168.1.11")
    with rude_server(answering(answers)) as place:
        site.configure(place)
        status, (line,) = site.run()
    assert status == 75
    expected = told.format(later="It may take it later. " + kept(site, f"{alerts} alerts"))
    assert line.startswith(f"botalert: {place}: {expected}")


def test_server_that_closes_gets_no_more_mails_in_this_run(site: Installation) -> None:
    """421 in the middle of a mail: it is not asked again and again."""
    connections: list[None] = []

    def dialogue(connection: socket.socket) -> None:
        connections.append(None)
        answering({b"RCPT": b"421 bye"})(connection)

    site.see("192.168.1.10", "192.168.1.11", "192.168.1.12")
    with rude_server(dialogue) as place:
        site.configure(place)
        assert site.run()[0] == 75
    assert len(connections) == 1


def endless(line: bytes, after: bytes = b"") -> Dialogue:
    """Be a server that says *line* for ever, once it has heard *after*."""

    def dialogue(connection: socket.socket) -> None:
        # Whoever hangs up ends it.
        with suppress(OSError):
            if after:
                connection.sendall(b"220 rude\r\n")
                while not connection.recv(4096).upper().startswith(after):
                    connection.sendall(b"250 fine\r\n")
            while True:
                connection.sendall(line)

    return dialogue


# smtplib's constructor leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "dialogue", [endless(b"220-hello\r\n"), endless(b"250-fine\r\n", b"MAIL"), endless(b"x")]
)
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_server_that_never_ends_is_given_up(dialogue: Dialogue, scheme: str) -> None:
    """However busy it keeps us: for each mail there is a time in all."""
    message = EmailMessage()
    message["From"] = message["To"] = "a@mx.example"
    with rude_server(dialogue) as place:
        host, _, port = place.partition(":")
        server = MailServer(scheme, host, int(port))
        transport = SmtpTransport(server, "", "", deadline_seconds=0.5)
        with closing(transport), pytest.raises(ServerDownError):
            transport.send(message, "a@mx.example", ["b@mx.example"])


def test_server_that_is_given_up_hears_no_more() -> None:
    """In the midst of a mail, a farewell would be taken for its text, and be waited for."""
    heard = b""

    def dialogue(connection: socket.socket) -> None:
        nonlocal heard
        connection.sendall(b"220 rude\r\n")
        while not connection.recv(4096).upper().startswith(b"MAIL"):
            connection.sendall(b"250 fine\r\n")
        while said := connection.recv(4096):
            heard += said

    message = EmailMessage()
    message["From"] = message["To"] = "a@mx.example"
    with rude_server(dialogue) as place:
        host, _, port = place.partition(":")
        transport = SmtpTransport(MailServer("smtp", host, int(port)), "", "", deadline_seconds=0.5)
        with closing(transport), pytest.raises(ServerDownError, match="did not end within"):
            transport.send(message, "a@mx.example", ["b@mx.example"])
    assert heard == b""


def test_server_that_never_says_goodbye_has_taken_the_mail() -> None:
    """After the last mail nothing it says is waited for without end."""
    message = EmailMessage()
    message["From"] = message["To"] = "a@mx.example"

    def dialogue(connection: socket.socket) -> None:
        breaks_off_after_data(connection, b"250 taken\r\n")
        endless(b"221-bye\r\n")(connection)

    with rude_server(dialogue) as place:
        host, _, port = place.partition(":")
        server = MailServer("smtp", host, int(port))
        with closing(SmtpTransport(server, "", "", deadline_seconds=0.5)) as transport:
            assert transport.send(message, "a@mx.example", ["b@mx.example"]) == {}
