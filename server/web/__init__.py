"""HTTP, on aiohttp: what is answered to whom. The rules live elsewhere."""
