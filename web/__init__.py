"""Flask only: pages and the HTTP API over the service; decides nothing."""
