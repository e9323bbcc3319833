"""PostgreSQL: a dump becomes a new database, which takes the name of the one that serves in one transaction.

Until then nothing of the old one is touched, and afterwards it is still there under a name of its own. What has been done is read from the
names of databases, so a restore that was killed anywhere is simply done again.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hardened.runner.failures import Failed, Reason
from hardened.runner.postgres import Database

#: Bytes that a name may have.
_NAME = 63
#: Times that the swap is tried: clients that connect again at once may come between.
_TRIES = 30
#: Settings whose values are lists of names, already quoted: those that pg_dump knows.
_LISTS = "local_preload_libraries,search_path,session_preload_libraries,shared_preload_libraries,temp_tablespaces,unix_socket_directories"

# By JSON: which of the columns there are depends on the server's version.
_CREATE = """
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'new',
              pg_encoding_to_char(encoding), datcollate, datctype) ||
       CASE to_jsonb(d)->>'datlocprovider'
       WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'))
       WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d)->>'datlocale')
       ELSE '' END
  FROM pg_database d WHERE datname = :'old' \\gexec
"""
_PROPERTIES = """
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'new') FROM pg_database WHERE datname = :'old' AND datacl IS NOT NULL \\gexec
SELECT format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, :'new',
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database, aclexplode(datacl) WHERE datname = :'old' AND grantee <> datdba \\gexec
SELECT format('ALTER %s SET %I TO %s',
              CASE setrole WHEN 0 THEN format('DATABASE %I', :'new')
              ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), :'new') END,
              split_part(setting, '=', 1),
              CASE WHEN split_part(setting, '=', 1) = ANY (string_to_array(:'lists', ','))
              THEN substr(setting, strpos(setting, '=') + 1) ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(setconfig) setting WHERE datname = :'old' \\gexec
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', :'new', datconnlimit) FROM pg_database WHERE datname = :'old' \\gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', :'new', pg_get_userbyid(datdba)) FROM pg_database
 WHERE datname = :'old' AND datdba <> (SELECT datdba FROM pg_database WHERE datname = :'new') \\gexec
"""
_SWAP = """
BEGIN;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname IN (:'live', :'new') AND backend_type = 'client backend' AND pg_has_role(usesysid, 'MEMBER');
SELECT format('ALTER DATABASE %I RENAME TO %I', :'live', :'old') FROM pg_database WHERE datname = :'live' \\gexec
ALTER DATABASE :"new" RENAME TO :"live";
SELECT format('COMMENT ON DATABASE %I IS %L', :'old', :'mark') FROM pg_database WHERE datname = :'old' \\gexec
COMMIT;
"""


#: The comment of a database that a restore has replaced: whoever changes it, or the name, keeps the database.
_REPLACED = "hardened: replaced by "


def kept_name(database: str, run: str) -> str:
    """The name under which the replaced database stays. Example: ("app", "20260102_030405") -> "app_before_20260102_030405"."""
    return _name(database, f"_before_{run}")


def replace(database: Database, dump: Path, run: str) -> str:
    """The database, which need not exist, holds what the dump holds; what it was is told. Raises Failed, and then nothing has changed."""
    server, live = _maintenance(database), database.name
    old, new = kept_name(live, run), _name(live, f"_restored_{run}")
    names = _databases(server)
    if old in names and live in names:
        _drop(server, new)
        return f"{live} was restored before; what it was is {old}"
    with _gone_unless_done(server, new):
        note = _fill(server, new, dump, like=live)
        _swap(server, live=live, new=new, old=old, mark=f"{_REPLACED}{run}")
    before = f"what it was is {old}" if live in names else "there was none before"
    return f"{live} is restored; {before}{note}"


def beside(database: Database, into: str, dump: Path, run: str) -> str:
    """A new database of that name holds what the dump holds. Raises Failed where there is one of another run."""
    server = _maintenance(database)
    new, mark = _name(into, f"_restored_{run}"), f"hardened: restored by {run}"
    if into in _databases(server):
        ((comment,),) = server.ask("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :'name'", name=into)
        if comment != mark:
            raise Failed(Reason.RESTORE_FAILED, f"there is a database {into}: name another one in into, or drop it")
        return f"{into} was restored before"
    named = 'BEGIN; ALTER DATABASE :"new" RENAME TO :"into"; COMMENT ON DATABASE :"into" IS :\'mark\'; COMMIT'
    with _gone_unless_done(server, new):
        note = _fill(server, new, dump, like=database.name)
        server.ask(named, new=new, into=into, mark=mark)
    return f"{into} is restored{note}"


def drop_kept(database: Database, until: datetime) -> list[str]:
    """Drops what restores have replaced of this database up to that moment, and nobody has renamed or marked otherwise. The names.

    Raises Failed where one cannot be dropped, as while somebody is connected to it.
    """
    server = _maintenance(database)
    found = server.ask("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database")
    runs = {name: comment.removeprefix(_REPLACED) for name, comment in found if comment.startswith(_REPLACED)}
    old = [name for name, run in sorted(runs.items()) if name == kept_name(database.name, run) and _is_old(run, until)]
    for name in old:
        server.ask('DROP DATABASE :"name"', name=name)
    return old


def _is_old(run: str, until: datetime) -> bool:
    """Whether a run was named by a moment, in UTC, that has passed by then. Example: "20260102_030405"."""
    try:
        return datetime.strptime(run, "%Y%m%d_%H%M%S").replace(tzinfo=UTC) <= until
    except ValueError:
        return False


def exists(database: Database) -> bool:
    """Whether there is a database of that name on its server."""
    return database.name in _databases(_maintenance(database))


def is_replaced(database: Database, run: str) -> bool:
    """Whether this run has replaced the database before."""
    return {database.name, kept_name(database.name, run)} <= _databases(_maintenance(database))


@contextmanager
def _gone_unless_done(server: Database, new: str) -> Iterator[None]:
    """Where it fails, no half of a database takes the room that the one that serves needs."""
    try:
        yield
    except Failed as failed:
        try:
            with server.programs.tidying():
                _drop(server, new)
        except Failed as left:
            text = f"{failed.message}; database {new} is left, and takes room: drop it ({left.message})"
            raise Failed(failed.reason, text) from None
        raise


def _fill(server: Database, new: str, dump: Path, *, like: str) -> str:
    """A database of that name with what the dump holds, made anew; what it could not be given is told.

    like: a database whose encoding, owner, rights and settings it gets.
    """
    _drop(server, new)
    server.ask(_CREATE, new=new, old=like)
    if new not in _databases(server):
        server.ask('CREATE DATABASE :"new" TEMPLATE template0', new=new)
    ((is_superuser,),) = server.ask("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    # Whoever may own everything gives things back to their owners; others own what they restore.
    server.named(new).restore(dump, *([] if is_superuser == "t" else ["--no-owner"]))
    tables, _ = server.named(new).content()
    if not tables:
        raise Failed(Reason.RESTORE_FAILED, "what was restored has no table: the database was not replaced")
    try:
        server.ask(_PROPERTIES, new=new, old=like, lists=_LISTS)
    except Failed as failed:  # not everybody may, and the data is what was asked for
        return f"; set its rights and settings by hand: {failed.message}"
    return ""


def _swap(server: Database, *, live: str, new: str, old: str, mark: str) -> None:
    for left in reversed(range(_TRIES)):
        try:
            server.ask(_SWAP, live=live, new=new, old=old, mark=mark)
        except Failed as failed:
            if "is being accessed by other users" not in failed.message or not left:
                raise
        else:
            return


def _drop(server: Database, name: str) -> None:
    server.ask('DROP DATABASE IF EXISTS :"name" WITH (FORCE)', name=name)


def _databases(server: Database) -> set[str]:
    return {name for (name,) in server.ask("SELECT datname FROM pg_database")}


def _maintenance(database: Database) -> Database:
    """Another database of its server, to work from: none can be renamed by whoever is connected to it. Raises Failed."""
    others = [database.named(name) for name in ("postgres", "template1") if name != database.name]
    for other in others:
        if other.psql("--command=SELECT 1").code == 0:
            return other
    others[-1].ask("SELECT 1")  # says why not
    return others[-1]


def _name(database: str, suffix: str) -> str:
    """At most 63 bytes, and another one for another database. Example: ("a" * 63, "_before_1") -> "aaa…aaa_1f2e3d4c_before_1"."""
    if len(database.encode()) + len(suffix) <= _NAME:
        return database + suffix
    digest = hashlib.sha256(database.encode()).hexdigest()[:8]
    room = _NAME - len(suffix) - len(digest) - 1
    return f"{database.encode()[:room].decode(errors='ignore')}_{digest}{suffix}"
