"""What the lists let through, held against a list of dangers that knows nothing of the rules that made them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from toygres.platforms.local.configuration import DEFAULTS
from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.texts import TEXTS, timezones
from toygres.platforms.parameters.values import check

VERSIONS = ("14", "15", "16", "17", "18")
# Any of these in a name, or these names.
DANGERS = re.compile(
    r"command|librar|preload|_path$|director|_file$|_dir$|filename|folder|tablespace|socket|^port$|listen|address"
    r"|bonjour|ssl|tls|krb|gss|ldap|radius|_pam|hba|ident|auth|passw|scram|oauth|conninfo|slot_name|standby|restore"
    r"|recovery_(?!conflict)|archive|primary|promote|syslog|log_dest|logging_collector|log_line_prefix|log_file"
    r"|log_rotation|log_truncate|log_hostname|log_min_messages|debug|trace|wal_debug|zero_damaged|ignore_|allow_"
    r"|jit_provider|data_sync|restart_after|exit_on|lc_|encoding|event_source|cluster_name|process_title|privileges"
    r"|reserved|replication_role|read_only|table_access|_grant|developer|on_error|_stats$|shared_memory_type"
    r"|huge_page_size|stack_depth|files_per_process|abbreviations|^fsync$|full_page_writes|wal_sync_method|_ident$"
)
# In whose name one of them stands, though it has nothing to do with it.
HARMLESS = {"search_path", "log_replication_commands", "log_recovery_conflict_waits", "quote_all_identifiers"}
HARMLESS_CATEGORIES = re.compile(
    r"Autovacuum|Vacuuming /|Query Tuning /|Resource Usage /|Lock Management|Statistics /|Client Connection Defaults /"
    r"|Reporting and Logging / Wh(at|en) to Log|Write-Ahead Log / (Checkpoints|Settings|Summarization)"
    r"|Replication / (Sending Servers|Subscribers)|Version and Platform Compatibility /"
    r"|Connections and Authentication / (Connection|TCP) Settings"
)
PROMISED = {
    "archive_command", "session_preload_libraries", "local_preload_libraries", "shared_preload_libraries",
    "dynamic_library_path", "jit_provider", "listen_addresses", "port", "unix_socket_directories", "hba_file",
    "ident_file", "data_directory", "config_file", "external_pid_file", "log_directory", "log_filename",
    "password_encryption", "ssl_key_file", "ssl_passphrase_command", "restore_command", "primary_conninfo", "fsync",
    "full_page_writes", "zero_damaged_pages", "ignore_checksum_failure", "allow_system_table_mods",
    "log_statement_stats", "temp_tablespaces", "default_tablespace", "lc_messages", "restart_after_crash",
    "superuser_reserved_connections",
}  # fmt: skip


def test_there_is_a_list_for_each_version() -> None:
    assert catalogue.VERSIONS == VERSIONS
    for version in VERSIONS:
        assert all(re.match(rf"{version}\.\d", server) for server in catalogue.made_from(version))
        assert len(catalogue.parameters(version)) > 150


@pytest.mark.parametrize("version", VERSIONS)
def test_no_list_has_a_dangerous_name(version: str) -> None:
    names = catalogue.parameters(version)
    assert [name for name in names if DANGERS.search(name) and name not in HARMLESS] == []
    assert not PROMISED & names.keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_list_says_why_the_dangerous_ones_are_withheld(version: str) -> None:
    withheld = catalogue.withheld(version)
    assert withheld.keys() >= PROMISED
    assert all(withheld.values())
    assert not withheld.keys() & catalogue.parameters(version).keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_list_has_a_dangerous_category_or_an_unchecked_text(version: str) -> None:
    for name, known in catalogue.parameters(version).items():
        assert HARMLESS_CATEGORIES.match(known.category), name
        assert "Preloading" not in known.category
        assert known.type != "string" or name in TEXTS


@pytest.mark.parametrize("version", VERSIONS)
def test_every_entry_is_whole_and_its_default_fits(version: str) -> None:
    for name, known in catalogue.parameters(version).items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert known.type in ("bool", "integer", "real", "enum", "string")
        assert known.description.endswith(".")
        assert bool(known.choices) == (known.type == "enum")
        assert bool(known.minimum) == bool(known.maximum) == (known.type in ("integer", "real"))
        assert check(known, known.default) is None, name


@pytest.mark.parametrize("version", VERSIONS)
def test_what_would_keep_a_server_from_its_work_is_cut_off(version: str) -> None:
    known = catalogue.parameters(version)
    assert check(known["max_connections"], "9") == "is out of range"
    for name, value in (("wal_level", "minimal"), ("huge_pages", "on"), ("min_wal_size", "16MB")):
        assert check(known[name], value) is not None
        assert known[name].note
    together = [
        known[name] for name in known if name.startswith(("max_connections", "max_worker_p", "max_wal_senders"))
    ]
    together += [known[name] for name in ("autovacuum_max_workers", "autovacuum_worker_slots") if name in known]
    assert sum(int(parameter.maximum) for parameter in together) < 262_143


def test_versions_differ_as_postgresql_does() -> None:
    assert "transaction_timeout" in catalogue.parameters("17")
    assert "transaction_timeout" not in catalogue.parameters("16")
    assert catalogue.parameters("14")["wal_compression"].type == "bool"
    assert catalogue.parameters("18")["wal_compression"].type == "enum"
    assert catalogue.parameters("18")["log_connections"].type == "string"


@pytest.mark.parametrize("version", ["13", "99", "", "../secrets", "timezones"])
def test_a_version_without_a_list_has_nothing_that_may_be_set(version: str) -> None:
    assert catalogue.parameters(version) == {}
    assert catalogue.why_withheld(version, "fsync") is None


def test_a_platforms_own_defaults_replace_postgresqls() -> None:
    here, everywhere = catalogue.parameters("18", DEFAULTS), catalogue.parameters("18")
    assert here.keys() == everywhere.keys()
    assert (everywhere["io_method"].default, here["io_method"].default) == ("worker", "sync")
    changed = {name for name in here if here[name] != everywhere[name]}
    assert changed <= DEFAULTS.keys()
    assert all(replace(here[name], default="") == replace(everywhere[name], default="") for name in changed)
    assert all(check(here[name], value) is None for name, value in DEFAULTS.items())


def test_no_time_zone_is_a_path_out_of_its_folder() -> None:
    assert "europe/zurich" in timezones()
    assert [name for name in timezones() if not re.fullmatch(r"[a-z][a-z0-9_+-]*(/[a-z0-9_+-]+)*", name)] == []
