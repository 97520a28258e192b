"""What of PostgreSQL's settings may be set, and why the rest may not: the one place that decides it.

A setting is offered only when its category is open or names it, PostgreSQL describes it for everybody's use, and its
type is one whose values can be checked. A text must be among those that `toygres.platforms.parameters.texts` checks.
A category or text that nobody has judged yet stops the generator.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.parameters.servers import Setting
from toygres.platforms.parameters.texts import TEXTS

COMMANDS = "it runs commands on the server's machine"
LIBRARIES = "it loads libraries into the server"
FILES = "it names files or folders of the server's machine"
NETWORK = "it says where the server listens, which the platform decides"
AUTHENTICATION = "it decides who gets in, and how"
OTHERS = "it ties the server to others"
RECOVERY = "it belongs to restoring a backup, which isn't a matter of parameters"
ARCHIVING = "it belongs to archiving, for which the platform has no place"
DURABILITY = "committed data could be lost or ruined"
MACHINE = "it hangs on the machine, which the platform knows better"
LOG_READ = "the platform reads the server's log, and needs it as it is"
LOG_VALUES = "it writes data that clients sent into the server's log"
LOG_NOISE = "it fills the server's log for PostgreSQL's own developers"
HANDLING = "the platform decides what happens after an error"
SESSIONS = "it is each session's own matter"
INJECTION = "programs that quote texts by PostgreSQL's rules would be open to injection"
INTEGRITY = "foreign keys and triggers would be passed by"
SPARE = "the health checks and an operator count on the connections that are kept free"
DEFECTIVE = "PostgreSQL took it out later, since it didn't work as it should"
ONE_CHOICE = "it has only one value that every build of PostgreSQL knows"
DEVELOPERS = "it is for PostgreSQL's own developers, preset, or can't stand in a configuration file"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What may be set of a category: all but what is withheld by name, only `names`, or nothing; and why not more."""

    opened: bool = False
    names: frozenset[str] = frozenset()
    reason: str = ""


OPEN = Rule(opened=True)


def only(names: str, *, reason: str) -> Rule:
    """Only these names of a category, for a reason that the others have in common."""
    return Rule(names=frozenset(names.split()), reason=reason)


def none(reason: str) -> Rule:
    """Nothing of a category."""
    return Rule(reason=reason)


_CONNECTIONS = only(
    "max_connections client_connection_check_interval tcp_keepalives_count tcp_keepalives_idle"
    " tcp_keepalives_interval tcp_user_timeout",
    reason=NETWORK,
)

# By the categories of PostgreSQL 14 to 18, as pg_settings calls them.
CATEGORIES = {
    "Autovacuum": OPEN,
    "Client Connection Defaults / Locale and Formatting": only(
        "datestyle default_text_search_config extra_float_digits icu_validation_level intervalstyle timezone",
        reason=MACHINE,
    ),
    "Client Connection Defaults / Other Defaults": only("gin_fuzzy_search_limit", reason=LIBRARIES),
    "Client Connection Defaults / Shared Library Preloading": none(LIBRARIES),
    "Client Connection Defaults / Statement Behavior": only(
        "bytea_output check_function_bodies client_min_messages default_toast_compression"
        " default_transaction_deferrable default_transaction_isolation event_triggers gin_pending_list_limit"
        " idle_in_transaction_session_timeout idle_session_timeout lock_timeout row_security search_path"
        " statement_timeout transaction_timeout vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age"
        " vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age xmlbinary"
        " xmloption",
        reason=SESSIONS,
    ),
    "Connections and Authentication / Authentication": none(AUTHENTICATION),
    "Connections and Authentication / Connection Settings": _CONNECTIONS,
    "Connections and Authentication / SSL": none(AUTHENTICATION),
    "Connections and Authentication / TCP Settings": _CONNECTIONS,
    "Customized Options": none(LIBRARIES),
    "Developer Options": none(DEVELOPERS),
    "Error Handling": none(HANDLING),
    "File Locations": none(FILES),
    "Lock Management": OPEN,
    "Preset Options": none(DEVELOPERS),
    "Query Tuning / Genetic Query Optimizer": OPEN,
    "Query Tuning / Other Planner Options": OPEN,
    "Query Tuning / Planner Cost Constants": OPEN,
    "Query Tuning / Planner Method Configuration": OPEN,
    "Replication / Primary Server": none(OTHERS),
    "Replication / Sending Servers": only(
        "idle_replication_slot_timeout max_replication_slots max_slot_wal_keep_size max_wal_senders"
        " track_commit_timestamp wal_keep_size wal_sender_timeout",
        reason=OTHERS,
    ),
    "Replication / Standby Servers": none(OTHERS),
    "Replication / Subscribers": only(
        "max_active_replication_origins max_logical_replication_workers max_parallel_apply_workers_per_subscription"
        " max_sync_workers_per_subscription",
        reason=OTHERS,
    ),
    "Reporting and Logging / Process Title": none(MACHINE),
    # Statements may be logged by whoever asks for it: the log is the instance's own, and of what leaves it as
    # evidence passwords are taken out. Values that are bound to statements aren't logged on any error.
    "Reporting and Logging / What to Log": only(
        "log_autovacuum_min_duration log_checkpoints log_connections log_disconnections log_duration log_lock_failures"
        " log_lock_waits log_parameter_max_length log_recovery_conflict_waits log_replication_commands log_statement"
        " log_temp_files log_timezone",
        reason=LOG_READ,
    ),
    "Reporting and Logging / When to Log": only(
        "log_min_duration_sample log_min_duration_statement log_min_error_statement log_startup_progress_interval"
        " log_statement_sample_rate log_transaction_sample_rate",
        reason=LOG_READ,
    ),
    "Reporting and Logging / Where to Log": none(LOG_READ),
    "Resource Usage / Asynchronous Behavior": OPEN,
    "Resource Usage / Background Writer": OPEN,
    "Resource Usage / Cost-Based Vacuum Delay": OPEN,
    "Resource Usage / Disk": only("max_notify_queue_pages temp_file_limit", reason=MACHINE),
    "Resource Usage / I/O": OPEN,
    "Resource Usage / Kernel Resources": none(MACHINE),
    "Resource Usage / Memory": OPEN,
    "Resource Usage / Worker Processes": OPEN,
    "Statistics / Cumulative Query and Index Statistics": OPEN,
    "Statistics / Monitoring": only("compute_query_id", reason=LOG_NOISE),
    "Statistics / Query and Index Statistics Collector": OPEN,
    "Vacuuming / Automatic Vacuuming": OPEN,
    "Vacuuming / Cost-Based Vacuum Delay": OPEN,
    "Vacuuming / Default Behavior": OPEN,
    "Vacuuming / Freezing": OPEN,
    "Version and Platform Compatibility / Other Platforms and Clients": only("transform_null_equals", reason=HANDLING),
    "Version and Platform Compatibility / Previous PostgreSQL Versions": only(
        "array_nulls escape_string_warning quote_all_identifiers synchronize_seqscans", reason=INJECTION
    ),
    "Write-Ahead Log / Archive Recovery": none(RECOVERY),
    "Write-Ahead Log / Archiving": none(ARCHIVING),
    "Write-Ahead Log / Checkpoints": OPEN,
    "Write-Ahead Log / Recovery": none(RECOVERY),
    "Write-Ahead Log / Recovery Target": none(RECOVERY),
    "Write-Ahead Log / Settings": only(
        "commit_delay commit_siblings synchronous_commit wal_buffers wal_compression wal_init_zero wal_level"
        " wal_log_hints wal_recycle wal_skip_threshold wal_writer_delay wal_writer_flush_after",
        reason=DURABILITY,
    ),
    "Write-Ahead Log / Summarization": OPEN,
}

# Withheld whatever their category says, or for a reason of their own.
WITHHELD = {
    "allow_alter_system": AUTHENTICATION,
    "archive_cleanup_command": COMMANDS,
    "archive_command": COMMANDS,
    "archive_library": LIBRARIES,
    "createrole_self_grant": AUTHENTICATION,
    "debug_pretty_print": LOG_NOISE,
    "debug_print_parse": LOG_VALUES,
    "debug_print_plan": LOG_VALUES,
    "debug_print_rewritten": LOG_VALUES,
    "default_table_access_method": LIBRARIES,
    "default_tablespace": FILES,
    "default_transaction_read_only": "`ready` means that a client could write",
    "dynamic_shared_memory_type": MACHINE,
    "huge_page_size": MACHINE,
    "lo_compat_privileges": AUTHENTICATION,
    "log_hostname": "each connection would wait for a name server",
    "log_parameter_max_length_on_error": LOG_VALUES,
    "max_stack_depth": MACHINE,
    "old_snapshot_threshold": DEFECTIVE,
    "output_plugin_libraries": LIBRARIES,
    "recovery_end_command": COMMANDS,
    "reserved_connections": SPARE,
    "restore_command": COMMANDS,
    "session_replication_role": INTEGRITY,
    "shared_memory_type": MACHINE,
    "ssl_passphrase_command": COMMANDS,
    "stats_temp_directory": FILES,
    "superuser_reserved_connections": SPARE,
    "temp_tablespaces": FILES,
    "timezone_abbreviations": FILES,
    "vacuum_defer_cleanup_age": DEFECTIVE,
}


def why_not(setting: Setting) -> str | None:
    """Why `setting` may not be set; None when it may. Raises LookupError when nobody has judged it yet."""
    if setting.name in WITHHELD:
        return WITHHELD[setting.name]
    rule = CATEGORIES.get(setting.category)
    if rule is None:
        raise LookupError(f"{setting.name} is in the category {setting.category!r}, which no rule names")
    if not setting.in_sample or setting.context == "internal":
        return DEVELOPERS if rule.opened or rule.names else rule.reason
    if not rule.opened and setting.name not in rule.names:
        return rule.reason
    if setting.type == "string" and setting.name not in TEXTS:
        raise LookupError(f"{setting.name} takes a text that nothing checks: withhold it, or write its check")
    if setting.type == "enum" and len(setting.choices) == 1:
        return ONE_CHOICE
    return None
