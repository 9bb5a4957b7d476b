"""
A sendmail program, which every MTA brings.

``-i`` keeps a lone dot in the text, ``-t`` takes the recipients from the
headers.  With -t, MTAs differ in what recipients on the command line mean
(Exim removes them, Postfix adds them), and a Bcc header is never written;
so where there is a Bcc, all recipients go on the command line instead.
"""

import subprocess
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import getaddresses

from botalert.errors import UnavailableError
from botalert.mail.transport import DeliveryError
from botalert.printable import printable

TIMEOUT_SECONDS = 120
_REMEDY = "Look at [recipients] and at the mail server's log."


class SendmailTransport:
    """
    Hands mails to a sendmail program.

    Args:
        program: Its path.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, str]:
        """See :class:`~botalert.mail.transport.Transport`."""
        named = getaddresses([*message.get_all("To", []), *message.get_all("Cc", [])])
        hidden = set(recipients) - {address for _, address in named}
        arguments = ["-i", "--", *recipients] if hidden else ["-i", "-t"]
        try:
            done = subprocess.run(
                [self._program, *arguments],
                input=message.as_bytes(),
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise UnavailableError(
                f"sendmail:{self._program}: cannot be run: {error.strerror}. "
                "Install a mail server, or name another way in mailserver:."
            ) from error
        except OSError as error:
            raise DeliveryError(
                f"sendmail:{self._program}: failed: {error.strerror}. {_REMEDY}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DeliveryError(
                f"sendmail:{self._program}: did not end within {TIMEOUT_SECONDS} s. {_REMEDY}"
            ) from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            reason = said.splitlines()[-1] if said else "it did not say why"
            raise DeliveryError(
                f"sendmail:{self._program}: ended with status {done.returncode}: "
                f"{printable(reason).rstrip('.')}. {_REMEDY}"
            )
        return {}

    def close(self) -> None:
        """Nothing is open between two mails."""
