"""The lane to a cache node: addresses, messages, connections. `contract/lane.md` is its whole
protocol."""
