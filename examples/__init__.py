"""Games to read and to begin from. They import `server.runtime` and nothing else of the server."""
