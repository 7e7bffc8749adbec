"""One file a channel; `contract` says what a connector is, `http` is the only door to the network."""
