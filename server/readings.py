"""What the metrics read: where each count of the running server is kept (names: `observe/metrics.py`)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import TypeVar

from server.collector import Collector
from server.core.matchmaker import Matchmaker
from server.eviction import Eviction
from server.game.host import GameHost
from server.identity.before_authenticate import BeforeAuthenticate
from server.identity.bridge import Bridge
from server.identity.jwks import Jwks
from server.identity.key_watch import KeyWatch
from server.identity.links import Links
from server.identity.logins import Logins
from server.identity.revocation import Revocations
from server.identity.revocation_feed import RevocationFeed
from server.matchmaking import Matchmaking
from server.message_limits import MessageLimits
from server.observe.loop_health import LoopHealth
from server.observe.metrics import Reading
from server.perform import Performer
from server.router import Router
from server.sessions.expiry import Expiry
from server.sessions.registry import Registry
from server.sessions.slow_receivers import SlowReceivers
from server.storage.database import Database
from server.storage.objects import StoredObjects
from server.talk.talk import Talk
from server.web.browsers import Browsers
from server.web.listener import Listeners
from server.web.sockets import Sockets
from server.web.upgrade import Upgrade
from server.world import World

E = TypeVar("E", bound=StrEnum)

Readings = dict[str, Callable[[], Reading]]
"""By the name of the metric."""


def sockets(registry: Registry, upgrade: Upgrade, shared: Sockets, expiry: Expiry) -> Readings:
    """Connections: how many, and how they end."""
    keepalive, deflater = shared.keepalive, shared.deflater
    return {
        "lockgate_sockets_open": lambda: len(registry),
        "lockgate_sessions_away": lambda: len(registry.away),
        "lockgate_sessions_not_held_total": lambda: registry.away.refused,
        "lockgate_sessions_resumed_total": lambda: registry.resumed,
        "lockgate_sockets_leaving": lambda: registry.leaving,
        "lockgate_sockets_opened_total": lambda: registry.opened,
        "lockgate_sockets_replaced_total": lambda: registry.replaced,
        "lockgate_sockets_closed_total": lambda: {
            str(code): count for code, count in registry.closed.items()
        },
        "lockgate_sockets_expiry_warned_total": lambda: expiry.warned,
        "lockgate_sockets_expired_total": lambda: expiry.closed,
        "lockgate_expiry_checks_failed_total": lambda: expiry.failed_checks,
        "lockgate_upgrades_refused_total": lambda: upgrade.refused,
        "lockgate_keepalive_shifted_seconds_total": lambda: keepalive.shifted_s,
        "lockgate_compression_bytes_total": lambda: {
            "before": deflater.bytes_before,
            "after": deflater.bytes_after,
        },
        "lockgate_socket_rtt_seconds": lambda: keepalive.round_trips.times,
        "lockgate_socket_rtt_left_out_total": lambda: keepalive.round_trips.left_out,
    }


def slow_receivers(slow: SlowReceivers) -> Readings:
    """Sockets that are behind, and what it costs them."""
    return {
        "lockgate_sockets_behind": lambda: len(slow),
        "lockgate_outgoing_unsent_bytes": lambda: slow.bytes,
        "lockgate_outgoing_dropped_total": lambda: slow.counts.dropped,
        "lockgate_outgoing_merged_total": lambda: slow.counts.merged,
        "lockgate_slow_sockets_closed_total": lambda: slow.closed,
    }


def admission(listeners: Listeners) -> Readings:
    """Who is let in, and who is not; and the certificate that they are shown."""
    entrance = listeners.entrance
    return {
        "lockgate_http_connections": lambda: len(entrance.connections),
        "lockgate_http_connections_told": lambda: entrance.connections.told,
        "lockgate_socket_places_taken": lambda: len(entrance.admission.places),
        "lockgate_admission_refused_total": lambda: entrance.refusals.counts,
        "lockgate_tls_certificate_expires_seconds": lambda: (
            0 if listeners.certificate is None else listeners.certificate.expires_at
        ),
        "lockgate_tls_certificates_total": lambda: (
            {}
            if listeners.certificate is None
            else {
                "loaded": listeners.certificate.loaded,
                "not_loaded": listeners.certificate.not_loaded,
            }
        ),
    }


def play(world: World, performer: Performer, router: Router, limits: MessageLimits) -> Readings:
    """Messages, and what the rules hold."""
    return {
        "lockgate_messages_in_total": lambda: {
            message.__name__: count for message, count in router.handled.items()
        },
        "lockgate_heartbeats_total": lambda: performer.heartbeats,
        "lockgate_messages_limited_total": lambda: performer.limited + limits.refused,
        "lockgate_messages_delivered_total": lambda: performer.delivered,
        "lockgate_errors_total": lambda: {str(code): count for code, count in router.refused.items()},
        "lockgate_matches": lambda: len(world.matches),
        "lockgate_parties": lambda: len(world.parties),
        "lockgate_parties_created_total": lambda: world.parties.created,
        "lockgate_party_requests": lambda: world.parties.requests,
        "lockgate_party_refusals_total": lambda: {
            refusal.name.lower(): count for refusal, count in world.parties.refused.items()
        },
        "lockgate_party_listings_cut_total": lambda: world.parties.cut_listings,
        "lockgate_stream_presences": lambda: len(world.streams),
        "lockgate_presences": lambda: len(world.presences),
        "lockgate_status_follows": lambda: world.statuses.follows,
    }


def matchmaker(matchmaker: Matchmaker, rounds: Matchmaking) -> Readings:
    """Searches for others to play with."""
    return {
        "lockgate_matchmaker_tickets": lambda: len(matchmaker),
        "lockgate_matchmaker_tickets_active": lambda: matchmaker.active,
        "lockgate_matchmaker_tickets_total": lambda: {
            "added": matchmaker.added,
            "removed": matchmaker.removed,
            "matched": matchmaker.matched,
            "refused": matchmaker.refused,
        },
        "lockgate_matchmaker_matches_total": lambda: matchmaker.groups,
        "lockgate_matchmaker_waited_seconds_total": lambda: matchmaker.waited_s,
        "lockgate_matchmaker_rounds_total": lambda: matchmaker.rounds,
        "lockgate_matchmaker_busy_seconds_total": lambda: rounds.busy_s,
        "lockgate_matchmaker_searches_cut_total": lambda: matchmaker.cut,
        "lockgate_matchmaker_failures_total": lambda: rounds.failed,
    }


def game(game: GameHost) -> Readings:
    """The game's functions and matches."""
    fences, matches, scheduler = game.fences, game.matches, game.scheduler
    beside = (fences["beside"], fences["spawned"])
    return {
        "lockgate_rpc_calls_total": lambda: _by_value(fences["rpc"].outcomes),
        "lockgate_rpc_running": lambda: fences["rpc"].running,
        "lockgate_hook_calls_total": lambda: _by_value(fences["hook"].outcomes),
        "lockgate_game_tasks_total": lambda: _by_value(beside[0].outcomes + beside[1].outcomes),
        "lockgate_game_tasks": lambda: sum(fence.running for fence in beside),
        "lockgate_live_matches": lambda: len(matches),
        "lockgate_live_matches_created_total": lambda: matches.created,
        "lockgate_live_matches_ended_total": lambda: _by_value(matches.ended_by),
        "lockgate_live_matches_restored_total": lambda: matches.restored,
        "lockgate_match_snapshots_total": lambda: {
            "written": game.keeper.written,
            "not_written": game.keeper.failed,
            "too_large": game.keeper.too_large,
            "not_forgotten": game.keeper.not_forgotten,
        },
        "lockgate_match_snapshots_waiting": lambda: game.keeper.waiting,
        "lockgate_match_recordings_total": lambda: (
            {} if game.recorder is None else asdict(game.recorder.counts)
        ),
        "lockgate_match_inputs_dropped_total": lambda: matches.inputs_dropped,
        "lockgate_game_code_seen_total": lambda: _by_value(game.watchdog.seen),
        "lockgate_memory_weighings_total": lambda: 0 if game.scales is None else game.scales.weighings,
        "lockgate_match_tick_lateness_seconds": lambda: scheduler.lateness,
        "lockgate_match_tick_duration_seconds": lambda: scheduler.duration,
    }


def loop(health: LoopHealth, collector: Collector) -> Readings:
    """How late everything is, and the part that the collection of garbage has in it."""
    return {
        "lockgate_loop_lag_seconds": lambda: health.lag.lags,
        "lockgate_loop_blocked_total": lambda: health.slow.seen,
        "lockgate_gc_pause_seconds": lambda: collector.pauses,
        "lockgate_gc_full_total": lambda: {
            "idle": collector.full - collector.forced,
            "forced": collector.forced,
        },
    }


def _by_value(counts: Mapping[E, int]) -> Mapping[str, float]:
    return {each.value: count for each, count in counts.items()}


def talk(talk: Talk) -> Readings:
    """Channels and notifications."""
    channels, chat, in_turn = talk.channels, talk.chat, talk.in_turn
    return {
        "lockgate_channels": lambda: len(channels),
        "lockgate_channel_joins_refused_total": lambda: channels.refused,
        "lockgate_channel_messages_total": lambda: dict(chat.told),
        "lockgate_notifications_total": lambda: talk.notifier.sent,
        "lockgate_notifications_pushed_out_total": lambda: talk.stored.pushed_out,
        "lockgate_writes_in_turn_waiting": lambda: in_turn.waiting,
        "lockgate_writes_in_turn_refused_total": lambda: in_turn.refused,
    }


def sign_in(bridge: Bridge, links: Links, before_authenticate: BeforeAuthenticate) -> Readings:
    """Identity tokens: taken, refused, limited, linked."""
    outcomes, limits, replay = before_authenticate.outcomes, bridge.limits, bridge.replay
    return {
        "lockgate_identity_accepted_total": lambda: bridge.accepted,
        "lockgate_identity_refused_total": lambda: {
            reason.value: count for reason, count in bridge.refused.items()
        },
        "lockgate_before_authenticate_total": lambda: {
            outcome.value: count for outcome, count in outcomes.items()
        },
        "lockgate_logins_limited_total": lambda: limits.refused,
        "lockgate_login_limit_keys": lambda: limits.keys,
        "lockgate_login_limit_dropped_total": lambda: limits.dropped,
        "lockgate_identity_tokens_repeated_total": lambda: replay.repeated,
        "lockgate_identity_tokens_not_kept_total": lambda: replay.not_kept,
        "lockgate_identities_linked_total": lambda: links.linked,
        "lockgate_identities_unlinked_total": lambda: links.unlinked,
    }


def logins(logins: Logins, revocations: Revocations, feed: RevocationFeed, eviction: Eviction) -> Readings:
    """Logins after they were made: refreshed, limited, ended."""
    limits = logins.limits
    return {
        "lockgate_refreshes_total": lambda: {
            verdict.value: count for verdict, count in logins.judged.items()
        },
        "lockgate_refreshes_joined_total": lambda: logins.joined,
        "lockgate_refreshes_limited_total": lambda: limits.refused,
        "lockgate_refresh_limit_keys": lambda: limits.keys,
        "lockgate_refresh_limit_dropped_total": lambda: limits.dropped,
        "lockgate_revocations": lambda: len(revocations),
        "lockgate_logins_ended_total": lambda: {
            reason.value: count for reason, count in revocations.ended.items()
        },
        "lockgate_revocation_sockets_closed_total": lambda: eviction.closed,
        "lockgate_revocation_feed_failures_total": lambda: feed.failures,
        "lockgate_rows_purged_total": lambda: feed.purged,
    }


def browsers(parts: Browsers) -> Readings:
    """One-time tickets, and requests that were taken for another site's."""
    tickets, cookies = parts.tickets, parts.cookies
    return {
        "lockgate_tickets": lambda: len(tickets),
        "lockgate_tickets_issued_total": lambda: tickets.issued,
        "lockgate_tickets_redeemed_total": lambda: tickets.redeemed,
        "lockgate_tickets_refused_total": lambda: {
            reason.value: count for reason, count in tickets.refused.items()
        },
        "lockgate_tickets_pushed_out_total": lambda: tickets.pushed_out,
        "lockgate_tickets_not_given_total": lambda: tickets.not_given,
        "lockgate_cookie_requests_refused_total": lambda: {
            reason.value: count for reason, count in cookies.refused.items()
        },
    }


def objects(stored: StoredObjects) -> Readings:
    """Small JSON objects of the players and of the game."""
    return {
        "lockgate_objects_written_total": lambda: stored.written,
        "lockgate_objects_deleted_total": lambda: stored.deleted,
        "lockgate_objects_refused_total": lambda: {
            reason.value: count for reason, count in stored.refused.items()
        },
    }


def storage(database: Database) -> Readings:
    """What the database did and could not do."""
    return {
        "lockgate_storage_writes_total": lambda: database.writes,
        "lockgate_storage_commits_total": lambda: database.commits,
        "lockgate_storage_repeated_total": lambda: database.repeated,
        "lockgate_storage_failures_total": lambda: {
            reason.value: count for reason, count in database.failures.items()
        },
        "lockgate_storage_waiting": lambda: database.waiting,
    }


def keys(jwks: Jwks) -> Readings:
    """Key sets, by issuer."""
    return {
        "lockgate_jwks_fetches_total": lambda: jwks.read(lambda cache: cache.counts.fetches),
        "lockgate_jwks_failures_total": lambda: jwks.read(lambda cache: cache.counts.failures),
        "lockgate_jwks_keys": lambda: jwks.read(len),
        "lockgate_jwks_age_seconds": lambda: jwks.read(lambda cache: cache.age_s),
        "lockgate_jwks_stale_serves_total": lambda: jwks.read(lambda cache: cache.counts.stale_serves),
        "lockgate_jwks_unknown_total": lambda: jwks.read(lambda cache: cache.counts.unknown),
        "lockgate_jwks_unknown_remembered_total": lambda: jwks.read(lambda cache: cache.counts.remembered),
        "lockgate_jwks_unknown_not_asked_total": lambda: jwks.read(lambda cache: cache.counts.not_asked),
        "lockgate_jwks_turned_away_total": lambda: jwks.read(lambda cache: cache.counts.turned_away),
    }


def signing_keys(watch: KeyWatch) -> Readings:
    """The keys of our own tokens."""
    return {
        "lockgate_session_keys_loaded_total": lambda: watch.loaded,
        "lockgate_session_keys_not_loaded_total": lambda: watch.not_loaded,
    }
