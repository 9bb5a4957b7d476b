"""
Names, or addresses, of hardware addresses: ethers(5).
"""

from botalert.machines.files import lines, mac_of

PATH = "/etc/ethers"


def read_ethers(text: str) -> dict[str, str]:
    """Give what *text* has for each hardware address: a name or an IP address, as it stands."""
    known: dict[str, str] = {}
    for line in lines(text):
        fields = line.partition("#")[0].split()
        mac = mac_of(fields[0]) if len(fields) > 1 else None
        if mac is not None:
            known.setdefault(mac, fields[1])
    return known
