"""Every metric by name, with the Prometheus text they are read as.

The code that counts keeps plain integers; they are read when somebody scrapes, so that counting costs nothing
on the path of a message. Labels have closed value sets: never a player, a match or a token.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, Info, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from server import __version__
from server.observe.histogram import Histogram

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Reading = float | Mapping[str, float] | Histogram
"""A number, or numbers by the value of the metric's label, or counts by bucket."""


class Metric(NamedTuple):
    """One series, or one per label value."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    label: str = ""


METRICS: Mapping[str, Metric] = {
    "lockgate_sockets_open": Metric("gauge", "Sockets that play, and places held for those that dropped."),
    "lockgate_sessions_away": Metric("gauge", "Players whose place is held although their socket dropped."),
    "lockgate_sessions_not_held_total": Metric("counter", "Places that were not held: there were too many."),
    "lockgate_sessions_resumed_total": Metric("counter", "Sessions that went on with another socket."),
    "lockgate_sockets_leaving": Metric("gauge", "Ended sockets whose TCP connection is still there."),
    "lockgate_sockets_opened_total": Metric("counter", "Sockets opened."),
    "lockgate_sockets_replaced_total": Metric("counter", "Sockets ended by a newer one of the same player."),
    "lockgate_sockets_closed_total": Metric("counter", "Sockets ended.", "code"),
    "lockgate_sockets_expiry_warned_total": Metric("counter", "Players told that their socket expires."),
    "lockgate_sockets_expired_total": Metric("counter", "Sockets ended because their session had expired."),
    "lockgate_expiry_checks_failed_total": Metric(
        "counter", "Questions to the database, until when logins live, that were not answered."
    ),
    "lockgate_http_connections": Metric("gauge", "TCP connections that are no sockets, or not yet."),
    "lockgate_http_connections_told": Metric(
        "gauge", "Refused TCP connections that may still read why they were."
    ),
    "lockgate_socket_places_taken": Metric("gauge", "Sockets that count for the limits, leaving ones too."),
    "lockgate_admission_refused_total": Metric(
        "counter", "Sockets and connections refused, or ended because they took too long.", "reason"
    ),
    "lockgate_tls_certificate_expires_seconds": Metric(
        "gauge", "When the certificate in use ends, as a Unix time; 0 without TLS."
    ),
    "lockgate_tls_certificates_total": Metric(
        "counter", "Changes of the certificate's files, by whether they could be used.", "outcome"
    ),
    "lockgate_upgrades_refused_total": Metric("counter", "Requests for a socket that were refused."),
    "lockgate_sockets_behind": Metric("gauge", "Sockets whose peer has not taken all that was sent."),
    "lockgate_outgoing_unsent_bytes": Metric(
        "gauge", "What waits for the sockets that are behind, in bytes."
    ),
    "lockgate_outgoing_dropped_total": Metric(
        "counter", "Messages left out for receivers that were too slow.", "message"
    ),
    "lockgate_outgoing_merged_total": Metric(
        "counter", "Presence events that became one with a later one for a slow receiver.", "message"
    ),
    "lockgate_slow_sockets_closed_total": Metric(
        "counter", "Sockets closed because their peer read too slowly.", "cause"
    ),
    "lockgate_messages_in_total": Metric("counter", "Messages handled.", "message"),
    "lockgate_heartbeats_total": Metric("counter", "Pings answered without decoding."),
    "lockgate_messages_limited_total": Metric("counter", "Messages refused by a rate limit.", "setting"),
    "lockgate_messages_delivered_total": Metric("counter", "Messages queued, each receiver counted."),
    "lockgate_errors_total": Metric("counter", "Error envelopes sent.", "code"),
    "lockgate_logins_limited_total": Metric("counter", "Logins refused by a rate limit.", "limit"),
    "lockgate_login_limit_keys": Metric("gauge", "Addresses or players whose limit is counted.", "limit"),
    "lockgate_login_limit_dropped_total": Metric(
        "counter", "Limits forgotten before they were back to full, because of too many keys.", "limit"
    ),
    "lockgate_identity_tokens_repeated_total": Metric(
        "counter", "Logins with an identity token that had signed in before."
    ),
    "lockgate_identity_tokens_not_kept_total": Metric(
        "counter", "Identity tokens refused because no more can be remembered as used."
    ),
    "lockgate_identities_linked_total": Metric("counter", "Identities linked to an account."),
    "lockgate_identities_unlinked_total": Metric("counter", "Identities unlinked from their account."),
    "lockgate_refreshes_total": Metric(
        "counter", "Refresh tokens of ours that were shown, by what became of them.", "outcome"
    ),
    "lockgate_refreshes_joined_total": Metric("counter", "Refreshes answered by one under way."),
    "lockgate_refreshes_limited_total": Metric("counter", "Refreshes refused by a rate limit.", "limit"),
    "lockgate_refresh_limit_keys": Metric("gauge", "Addresses or logins whose limit is counted.", "limit"),
    "lockgate_refresh_limit_dropped_total": Metric(
        "counter", "Limits forgotten before they were back to full, because of too many keys.", "limit"
    ),
    "lockgate_revocations": Metric("gauge", "Ended logins whose session tokens must still be refused."),
    "lockgate_logins_ended_total": Metric("counter", "Logins that ended before their time.", "reason"),
    "lockgate_revocation_sockets_closed_total": Metric("counter", "Sockets closed with their login."),
    "lockgate_revocation_feed_failures_total": Metric(
        "counter", "Looks at the revocations of other processes that failed."
    ),
    "lockgate_rows_purged_total": Metric("counter", "Rows of logins and revocations that were over."),
    "lockgate_tickets": Metric("gauge", "One-time tickets in memory."),
    "lockgate_tickets_issued_total": Metric("counter", "One-time tickets issued."),
    "lockgate_tickets_redeemed_total": Metric("counter", "One-time tickets that were shown in time."),
    "lockgate_tickets_refused_total": Metric("counter", "One-time tickets that did not count.", "reason"),
    "lockgate_tickets_pushed_out_total": Metric(
        "counter", "Unused one-time tickets that newer ones of the same login pushed out."
    ),
    "lockgate_tickets_not_given_total": Metric(
        "counter", "One-time tickets not issued because too many are unused."
    ),
    "lockgate_cookie_requests_refused_total": Metric(
        "counter", "Requests in cookie mode that were taken for another site's.", "reason"
    ),
    "lockgate_rpc_calls_total": Metric(
        "counter", "Calls of the game's functions, by how they ended.", "outcome"
    ),
    "lockgate_rpc_running": Metric("gauge", "Functions of the game that run."),
    "lockgate_hook_calls_total": Metric(
        "counter", "Calls of the game's hooks, by how they ended.", "outcome"
    ),
    "lockgate_game_tasks_total": Metric(
        "counter", "Game functions that nobody waits for, by how they ended.", "outcome"
    ),
    "lockgate_game_tasks": Metric("gauge", "Game functions that run and that nobody waits for."),
    "lockgate_live_matches": Metric("gauge", "Matches that the server runs."),
    "lockgate_live_matches_created_total": Metric("counter", "Matches that the server began."),
    "lockgate_live_matches_ended_total": Metric("counter", "Matches that ended, by why.", "cause"),
    "lockgate_live_matches_restored_total": Metric("counter", "Matches taken up again after a restart."),
    "lockgate_match_snapshots_total": Metric(
        "counter", "Snapshots of matches, by what became of them.", "outcome"
    ),
    "lockgate_match_snapshots_waiting": Metric("gauge", "Snapshots of matches that are not written yet."),
    "lockgate_match_recordings_total": Metric("counter", "Recordings of matches, by outcome.", "outcome"),
    "lockgate_match_inputs_dropped_total": Metric("counter", "Messages of players that found no room."),
    "lockgate_game_code_seen_total": Metric(
        "counter", "Calls of game code that held up the server, and of those, the ones stopped.", "what"
    ),
    "lockgate_memory_weighings_total": Metric(
        "counter", "Searches for the match that takes the memory, because of too little of it."
    ),
    "lockgate_gc_pause_seconds": Metric("histogram", "How long garbage collections took."),
    "lockgate_gc_full_total": Metric("counter", "Full garbage collections, by when they were run.", "when"),
    "lockgate_match_tick_lateness_seconds": Metric("histogram", "How late ticks began."),
    "lockgate_match_tick_duration_seconds": Metric("histogram", "How long ticks took."),
    "lockgate_matches": Metric("gauge", "Relayed matches that run."),
    "lockgate_matchmaker_tickets": Metric("gauge", "Tickets in the matchmaker."),
    "lockgate_matchmaker_tickets_active": Metric(
        "gauge", "Tickets that search; the others wait to be found."
    ),
    "lockgate_matchmaker_tickets_total": Metric(
        "counter", "Tickets added, removed, matched, and refused because there were too many.", "outcome"
    ),
    "lockgate_matchmaker_matches_total": Metric("counter", "Matches that the matchmaker made."),
    "lockgate_matchmaker_waited_seconds_total": Metric(
        "counter", "How long tickets had waited when they were matched, in sum."
    ),
    "lockgate_matchmaker_rounds_total": Metric("counter", "Rounds begun."),
    "lockgate_matchmaker_busy_seconds_total": Metric("counter", "Seconds that rounds took of the loop."),
    "lockgate_matchmaker_searches_cut_total": Metric(
        "counter", "Searches that ended before they had seen every ticket they may have matched."
    ),
    "lockgate_matchmaker_failures_total": Metric(
        "counter", "Parts of rounds that failed, and answers of game code about a match that did."
    ),
    "lockgate_parties": Metric("gauge", "Parties that have a member."),
    "lockgate_parties_created_total": Metric("counter", "Parties opened."),
    "lockgate_party_requests": Metric("gauge", "Requests to join a party that wait for its leader."),
    "lockgate_party_refusals_total": Metric("counter", "Requests that a party refused.", "reason"),
    "lockgate_party_listings_cut_total": Metric(
        "counter", "Listings of parties that cost too much to look at all of them."
    ),
    "lockgate_stream_presences": Metric("gauge", "Presences on streams of the game."),
    "lockgate_channels": Metric("gauge", "Channels that somebody is in."),
    "lockgate_channel_joins_refused_total": Metric(
        "counter", "Joins of sockets that were in as many channels as they may."
    ),
    "lockgate_channel_messages_total": Metric(
        "counter", "Messages sent, updated and removed in channels.", "kind"
    ),
    "lockgate_notifications_total": Metric("counter", "Notifications kept or shown."),
    "lockgate_notifications_pushed_out_total": Metric(
        "counter", "Notifications that newer ones of the same player pushed out."
    ),
    "lockgate_objects_written_total": Metric("counter", "Stored objects written."),
    "lockgate_objects_deleted_total": Metric("counter", "Stored objects deleted."),
    "lockgate_objects_refused_total": Metric(
        "counter", "Calls about stored objects that were refused as a whole.", "reason"
    ),
    "lockgate_writes_in_turn_waiting": Metric(
        "gauge", "Chat messages and notifications being written, or waiting for an earlier one."
    ),
    "lockgate_writes_in_turn_refused_total": Metric(
        "counter", "Chat messages and notifications refused because too many waited."
    ),
    "lockgate_presences": Metric("gauge", "Presences on all streams."),
    "lockgate_status_follows": Metric("gauge", "Status follows."),
    "lockgate_identity_accepted_total": Metric("counter", "Identity tokens that passed every check."),
    "lockgate_identity_refused_total": Metric(
        "counter", "Identity tokens refused, by the check that failed.", "reason"
    ),
    "lockgate_before_authenticate_total": Metric(
        "counter", "Players that the game was asked about, by how that ended.", "outcome"
    ),
    "lockgate_storage_writes_total": Metric("counter", "Writes that are on disk."),
    "lockgate_storage_commits_total": Metric(
        "counter", "Transactions they came in; writes that waited together share one."
    ),
    "lockgate_storage_repeated_total": Metric(
        "counter", "Transactions done again because others got in the way."
    ),
    "lockgate_storage_failures_total": Metric(
        "counter", "Reads and writes that the database could not do.", "reason"
    ),
    "lockgate_storage_waiting": Metric("gauge", "Reads and writes under way or waiting for their turn."),
    "lockgate_jwks_fetches_total": Metric("counter", "Fetches of key sets.", "issuer"),
    "lockgate_jwks_failures_total": Metric("counter", "Fetches that brought no usable key set.", "issuer"),
    "lockgate_jwks_keys": Metric("gauge", "Keys that verify identity tokens.", "issuer"),
    "lockgate_jwks_age_seconds": Metric(
        "gauge", "Time since the issuer confirmed its keys; no sample without keys.", "issuer"
    ),
    "lockgate_jwks_stale_serves_total": Metric(
        "counter", "Keys served past their lifetime because the issuer cannot be reached.", "issuer"
    ),
    "lockgate_jwks_unknown_total": Metric("counter", "Questions for keys not in the set.", "issuer"),
    "lockgate_jwks_unknown_remembered_total": Metric(
        "counter", "Unknown keys answered from memory.", "issuer"
    ),
    "lockgate_jwks_unknown_not_asked_total": Metric(
        "counter", "Unknown keys not asked of the issuer, to spare it.", "issuer"
    ),
    "lockgate_jwks_turned_away_total": Metric(
        "counter", "Callers who could not wait for a fetch: too many, or too long.", "issuer"
    ),
    "lockgate_session_keys_loaded_total": Metric("counter", "Changes of the key file that were taken over."),
    "lockgate_session_keys_not_loaded_total": Metric(
        "counter", "Changes of the key file that could not be used; the former keys stay."
    ),
    "lockgate_keepalive_shifted_seconds_total": Metric(
        "counter", "Seconds by which deadlines moved because the event loop was late."
    ),
    "lockgate_compression_bytes_total": Metric(
        "counter", "Bytes of compressed frames, each counted once for all receivers.", "side"
    ),
    "lockgate_socket_rtt_seconds": Metric("histogram", "How long pongs took that answer pings of ours."),
    "lockgate_socket_rtt_left_out_total": Metric(
        "counter", "Pongs that may have waited for us, so that their time was not taken."
    ),
    "lockgate_loop_blocked_total": Metric(
        "counter", "Stalls of the event loop during which something of the server's was found at work."
    ),
    "lockgate_loop_lag_seconds": Metric("histogram", "How late the event loop ran what was due."),
}


class Readings(Collector):
    """Reads the counts of the running server. Raises ValueError unless every metric has a source."""

    def __init__(self, sources: Mapping[str, Callable[[], Reading]]) -> None:
        if odd := METRICS.keys() ^ sources.keys():
            raise ValueError(f"metrics and sources differ: {', '.join(sorted(odd))}")
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        for name, metric in METRICS.items():
            family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            samples = family(name, metric.help, labels=[metric.label] if metric.label else [])
            reading = self._sources[name]()
            if isinstance(reading, Histogram):
                yield HistogramMetricFamily(
                    name, metric.help, buckets=reading.cumulative(), sum_value=reading.total
                )
                continue
            if isinstance(reading, Mapping):
                for value, number in reading.items():
                    samples.add_metric([value], number)
            else:
                samples.add_metric([], reading)
            yield samples


def registry(sources: Mapping[str, Callable[[], Reading]]) -> CollectorRegistry:
    """What the ops listener shows: our metrics, the process's, and which version this is."""
    made = CollectorRegistry()
    Info("lockgate_build", "The server's version.", registry=made).info({"version": __version__})
    made.register(Readings(sources))
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made
