"""Says in Tryton's words what Obnova says about the place: the database's address, the port, the data directory."""
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

TREE = Path(__file__).resolve().parent.parent


def database(address):
    """Points Tryton at the database and returns its name. The password is in PGPASSWORD or PGPASSFILE, where PostgreSQL's
    own library finds it."""
    parts = urlsplit(address)
    os.environ["TRYTOND_DATABASE__URI"] = urlunsplit(("postgresql", parts.netloc, "/", "", ""))
    return unquote(parts.path.lstrip("/"))


def command(name, *arguments):
    """One of the programs that Tryton's packages brought along, wherever the tree lies now."""
    return [sys.executable, str(TREE / "lib" / "bin" / name), *arguments]
