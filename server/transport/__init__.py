"""Bytes on sockets: WebSocket connections handed over by the HTTP server."""
