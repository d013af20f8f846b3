"""The sections of the configuration that say who is let in, and how sockets are held.

`config.py` puts all sections together and reads them.
"""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

DEFAULT_SERVER_KEY = "defaultkey"

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """One area of the configuration; unknown keys are errors, so a typing mistake is found at start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Address(Section):
    """A host and a port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """Read `host:port` or `[ipv6]:port`. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s]+):(\d{1,5})", text)
    if found is None or int(found[2]) > 65535:
        raise ValueError("must be host:port with a port of 0..65535")
    return Address(host=found[1].strip("[]"), port=int(found[2]))


class ListenSettings(Section):
    public: str = "127.0.0.1:7350"
    """HTTP API and `/ws`."""
    websocket: str = ""
    """A separate address for `/ws`, for a load balancer of its own; empty: on public."""
    tls_cert: str = ""
    """The chain of certificates for both of these, in PEM; with `tls_key`, or neither. Read again when the
    files change, so that a renewal needs no restart. A load balancer that ends TLS costs players less."""
    tls_key: str = ""
    ops: str = "127.0.0.1:7351"
    """Health and metrics; never a public address."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Origins whose pages may call; `*` is any, without credentials."""
    trusted_proxies: tuple[str, ...] = ()
    """CIDR blocks whose `X-Forwarded-For` is believed."""

    @field_validator("public", "websocket", "ops")
    @classmethod
    def _is_address(cls, value: str, info: ValidationInfo) -> str:
        if value or info.field_name != "websocket":
            parse_address(value)
        return value

    @model_validator(mode="after")
    def _has_both_halves(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key go together")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


class IssuerSettings(Section):
    """One identity provider whose tokens sign players in."""

    issuer: Annotated[str, Field(min_length=1)]
    """Compared byte for byte with the token's `iss`."""
    jwks_url: str = ""
    """Where its keys are; empty: found by OpenID discovery."""
    client_ids: tuple[str, ...] = ()
    """Accepted `client_id` claims (Cognito access tokens)."""
    audiences: tuple[str, ...] = ()
    """Accepted `aud` claims, for issuers that use it."""
    token_use: str = "access"
    """Required `token_use` claim; empty: not checked."""
    algorithms: tuple[Literal["RS256", "ES256"], ...] = ("RS256",)
    username_claim: str = "username"
    """Claim that names a player when the account is created."""
    display_name_claim: str = ""
    """Claim that becomes a new account's display name; empty: none, since `name` is often a real one."""
    claims_to_vars: dict[str, str] = {}
    """Session variable name to the claim it is taken from; clients cannot set these names. A claim that is no
    text, such as the list `cognito:groups`, becomes compact JSON: a comma may be part of a group's name."""

    @model_validator(mode="after")
    def _names_its_clients(self) -> Self:
        if not self.client_ids and not self.audiences:
            raise ValueError("needs client_ids or audiences: a token of any client would be accepted")
        return self


class IdentitySettings(Section):
    issuers: tuple[IssuerSettings, ...] = ()
    allow_client_username: bool = False
    """Let a client choose its name at account creation by the `username` query parameter."""
    before_authenticate_timeout_s: Positive = 2
    """How long game code may think about a sign-in; the client waits, with its request open."""
    jwks_stale_limit_s: Annotated[float, Field(ge=120, le=30 * 86_400)] = 86_400
    """How long known keys are served while their issuer cannot be reached. Shorter: a key that was withdrawn
    during an outage ends sooner; longer: a longer outage is survived."""
    jwks_cache_dir: str = ""
    """Where the last good key sets are kept, so that a restart during an outage signs players in; empty:
    nowhere. Whoever can write there decides who is a player."""
    logins_per_minute_per_address: Annotated[int, Field(ge=0)] = 30
    """Logins (and linkings) of one address, or of one IPv6 /64; 0: no limit, which `--dev` makes the default.
    Too low, players who share an address lock each other out."""
    logins_per_minute_per_subject: Annotated[int, Field(ge=0)] = 10
    """Logins of one verified player; 0: no limit, which `--dev` makes the default."""
    login_limit_keys: Count = 100_000
    """Addresses, and players, whose limits are remembered at once; about 300 bytes each."""
    identities_per_account: Count = 16
    """Identities that may sign in to one account."""
    single_use: bool = False
    """Each identity token is taken once only, by its `jti`; without, until it expires."""
    single_use_tokens: Count = 100_000
    """Used identity tokens remembered until they expire. Beyond it nobody can sign in, so keep it over the
    number of logins in a token's lifetime."""

    @model_validator(mode="after")
    def _issuers_differ(self) -> Self:
        names = [issuer.issuer for issuer in self.issuers]
        if len(set(names)) != len(names):
            raise ValueError("issuers: the same issuer is configured twice")
        return self


class SessionSettings(Section):
    key_file: str = ""
    """Signing keys; empty: made once under the data folder, mode 0600. Watched: a change needs no restart."""
    keys: SecretStr = SecretStr("")
    """What would be in the key file, instead of one: for keys that come in the environment. Never changes."""
    token_ttl_s: Count = 7200
    """Life of a session token. Under 300 s, SDKs refresh before every call."""
    refresh_idle_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 1_209_600
    """Life of a refresh token that is not used."""
    refresh_max_s: Count = 7_776_000
    """Life of a login, however often it is refreshed."""
    refresh_grace_s: Annotated[int, Field(ge=0, le=60)] = 30
    """How long the previous refresh token still gets the same answer. 0: a lost answer costs the login."""
    refresh_burst: Count = 5
    """Refreshes of one login at once, before `refresh_every_s` applies. Repeats are not counted."""
    refresh_every_s: Annotated[float, Field(ge=0)] = 5
    """Seconds between refreshes of one login; 0: no limit. Keep it far under `token_ttl_s`."""
    refreshes_per_minute_per_address: Annotated[int, Field(ge=0)] = 300
    """Refreshes of one address, or of one IPv6 /64, whatever comes of them; 0: no limit, which `--dev` makes
    the default. Too low, players who share an address lose their logins."""
    refresh_limit_keys: Count = 100_000
    """Addresses, and logins, whose limits are remembered at once; about 300 bytes each."""
    families_per_account: Count = 20
    """Logins of one account that live at once; one more ends the oldest."""
    single_session: bool = False
    """One login at a time: a new one ends the others, tokens and sockets."""
    logout_closes_sockets: bool = True
    """False: a logged-out socket goes on until its token expires, as in the reference."""
    socket_expiry: Literal["ignore", "grace", "strict"] = "grace"
    """When a socket ends by itself. ignore: never; one opened with a stolen token lasts until a logout.
    grace: with its login. strict: with its session token, unless a newer one is shown in time by the remote
    call `session_refresh`, which no SDK does by itself."""
    single_socket: bool = True
    """One socket per player: a newer one takes over from the older."""
    single_match: bool = False
    """One match per socket: whoever joins another leaves the ones before. Opening one is not joining."""
    single_party: bool = False
    """One party per socket: whoever enters another leaves the one before."""
    cookie: Literal["off", "secure", "insecure"] = "off"
    """Whether a page may have its refresh token in a cookie that no script can read. The page's origin must
    be this server's own, and be in `listen.allowed_origins`. insecure: for http, in development."""
    tickets_max: Count = 10_000
    """Unused one-time tickets for `/ws`, of 30 s and about 0.5 kB each. Too few, browsers wait at a rush."""

    @model_validator(mode="after")
    def _singles_have_one_socket(self) -> Self:
        for name in ("match", "party"):
            if getattr(self, f"single_{name}") and not self.single_socket:
                raise ValueError(f"single_{name} needs single_socket: another socket could be in another one")
        return self

    @model_validator(mode="after")
    def _keys_come_from_one_place(self) -> Self:
        if self.key_file and self.keys.get_secret_value():
            raise ValueError("keys and key_file exclude each other: both say what the signing keys are")
        return self


class ChatSettings(Section):
    channels_per_session: Count = 256
    """Channels one socket may be in."""
    content_bytes: Annotated[int, Field(ge=64, le=1024 * 1024)] = 65_536
    """Of one chat message. It also has to fit into `socket.max_message_bytes`, which by default is less."""


class NotificationSettings(Section):
    kept_per_player: Count = 1000
    """One more pushes the player's oldest out. Too few, and what a player was away for is lost."""
    content_bytes: Annotated[int, Field(ge=64, le=1024 * 1024)] = 16_384
    """Of one notification, as JSON: a list of a hundred may be that many times as large."""


class MatchesSettings(Section):
    """Matches that the server runs."""

    max_matches: Count = 10_000
    """Running at once. Too few, and players find none; too many, and ticks come late for all."""
    input_queue_size: Count = 128
    """Messages of players that wait for a match's next tick; more are dropped. Too few, and a burst is lost;
    too many, and one tick has all that to do."""
    max_empty_s: Annotated[float, Field(ge=0)] = 0
    """A match that nobody is in for so long ends by itself; 0: never."""
    catch_up_ticks: Annotated[int, Field(ge=0, le=60)] = 3
    """Missed ticks that are made up for, at most; the rest is lost. With many, a match that was held up
    hurries, and holds others up."""
    overload_s: Positive = 10
    """A match whose ticks take too long is slowed down, and after so long ended with its players told. Too
    short, and one bad moment ends it; too long, and the others bear with it."""
    block_warning_ms: Annotated[float, Field(ge=0)] = 100
    """Game code that holds up the server for so long is named in the log, with its line; 0: never. Very
    short, and ordinary ticks are named; long, and nobody learns why ticks come late."""
    callback_timeout_s: Annotated[float, Field(ge=0)] = 2
    """Game code that holds up the server for so long is stopped, and the match it belongs to ends; 0: never,
    and one endless loop takes all matches with it. Short, and a slow moment of the machine ends matches."""
    memory_limit_mb: Annotated[int, Field(ge=0)] = 0
    """Once the process has more memory than this, the match by which it grows most is ended; 0: no limit.
    Keep it well over what the server needs at its fullest, and under what the machine grants it."""
    reconnect_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    """How long the seat of a player whose connection dropped is held, unless the match says otherwise; 0: not
    at all. Too long, and others play with somebody who is gone."""
    snapshot_ticks: Annotated[int, Field(ge=0)] = 0
    """After a crash, a match that can be kept goes on from a state that is at most so many ticks old. Few,
    and writing takes time from playing; 0: it is kept only when the server stops."""
    snapshot_bytes: Count = 1_048_576
    """Of one snapshot; a larger one is not kept."""
    restore_s: Annotated[float, Field(ge=0, le=86_400)] = 60
    """After a restart, players have so long to take their seats again."""
    restore_age_s: Annotated[float, Field(ge=0)] = 3600
    """Matches kept longer ago than that are not taken up again."""
    record: bool = False
    """Write each match down as it runs, for `lockgate replay`: all that players send, and what is known of
    them. Costs a write per tick and match."""
    record_dir: str = ""
    """Empty: `recordings` in the data folder."""
    record_max_mb: Count = 16
    """Of one recording; the match goes on without."""
    record_keep: Count = 200
    """Recordings in the folder; the oldest are deleted."""
    stop_grace_s: Annotated[float, Field(ge=0, le=3600)] = 0
    """When the server stops, matches are told and have so long to come to an end; 0: they just stop."""


class ObjectSettings(Section):
    """Stored objects: small JSON objects of the players and of the game."""

    value_bytes: Annotated[int, Field(ge=64, le=1024 * 1024)] = 16_384
    """Of one object, as JSON: a list of a hundred may be that many times as large."""
    batch_max: Annotated[int, Field(ge=1, le=300)] = 100
    """Objects that one call may write, read or delete. A call is one transaction, and others wait for it."""
    of_player_max: Count = 1000
    """Objects of one player; one more is refused. Clients write them, so it bounds the disk they can fill."""
    of_server_max: Count = 10_000
    """Objects of the server itself. Counted at each new one: let what grows with the players be theirs."""


class SocketSettings(Section):
    server_key: SecretStr = SecretStr(DEFAULT_SERVER_KEY)
    max_message_bytes: Annotated[int, Field(ge=512, le=16 * 1024 * 1024)] = 4096
    """A message over it closes the socket with 1009."""
    max_fragments: Count = 64
    """Frames that one message may come in; more close the socket with 1009."""
    ping_interval_s: Positive = 15
    """Over a third of a load balancer's idle timeout, connections get lost."""
    pong_timeout_s: Positive = 25
    """Silence after which a peer is given up."""
    close_timeout_s: Positive = 2
    """Wait for the peer's answer to our close frame before TCP is dropped."""
    resume_s: Annotated[float, Field(ge=0, le=3600)] = 0
    """How long a player's place is held when the socket drops: the next socket of the same login goes on
    where it was, seen by nobody, and is given what was said meanwhile. 0: not at all, as the reference.
    Long, and others play with somebody who is gone."""
    flush_interval_ms: Annotated[float, Field(ge=0, le=1000)] = 0
    """Everything waits so long for more to leave with it in one write; 0: for the end of the loop's turn.
    With a few milliseconds a busy server does with less CPU time, and all is later by up to as many."""
    outgoing_limit_bytes: Annotated[int, Field(ge=16 * 1024)] = 1_048_576
    """Unsent bytes per socket, the transport's buffer included; a waiting frame counts 256 more. Of more,
    unreliable match data is dropped and presence events are merged; if that does not help, the socket is
    closed. Too few, and a short stall of a phone closes it; too many, and slow readers take all memory."""
    outgoing_age_s: Positive = 10
    """A socket whose oldest unsent byte is older is closed; looked at about once a second. Short, and a weak
    connection never gets over a bad moment; long, and a player is shown a past that nobody can act on."""
    outgoing_total_bytes: Annotated[int, Field(ge=1024 * 1024)] = 268_435_456
    """Unsent bytes of all sockets that are behind, together. Over it, those with most lose or go first."""
    messages_per_s: Annotated[float, Field(ge=0)] = 200
    """Messages of one socket, heartbeats included; 0: no limit, which `--dev` makes the default of this and
    of all rates below. More are refused, and who goes on is closed with 4503."""
    messages_burst: Count = 2000
    """Messages that may come at once after a quiet time. Few, and a rich join of a game is refused."""
    bytes_per_s: Annotated[float, Field(ge=0)] = 262_144
    """Payload of one socket's messages; 0: no limit."""
    bytes_burst: Annotated[int, Field(ge=4096)] = 2_097_152
    status_updates_per_minute: Annotated[int, Field(ge=0)] = 120
    """Of one player, whatever the socket; each is sent to all who follow. This and the rates below allow a
    minute's worth at once; 0: no limit."""
    follow_requests_per_minute: Annotated[int, Field(ge=0)] = 120
    """Each asks the database."""
    channel_messages_per_minute: Annotated[int, Field(ge=0)] = 240
    """Sent, changed or removed; each is written to the database, unless the channel keeps none."""
    creates_per_minute: Annotated[int, Field(ge=0)] = 120
    """Matches, parties and searches for a match."""
    compression: bool = False
    """Compress messages for clients that offer it (permessage-deflate); `compression_min_bytes` says which.
    Saves traffic and costs processor time, once for all receivers. A socket pays no memory for it until it
    sends something compressed: then 4 KiB, and amid fragments 13 KiB (44 if a message may have 32 KiB)."""
    compression_min_bytes: Annotated[int, Field(ge=64)] = 512
    """Shorter messages stay as they are: compressed they would hardly be shorter."""
    follows_per_session: Count = 2000
    """Players whose status one socket may follow."""
    matches_per_session: Count = 256
    """Matches one socket may be in."""
    parties_per_session: Count = 16
    """Parties one socket may be in or ask to join."""
    streams_per_session: Count = 256
    """Streams of the game that one socket may be on."""

    @model_validator(mode="after")
    def _pings_before_the_timeout(self) -> Self:
        if self.ping_interval_s >= self.pong_timeout_s:
            raise ValueError("ping_interval_s must be shorter than pong_timeout_s")
        return self
